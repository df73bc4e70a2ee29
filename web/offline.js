// offline.js - a service worker: what was fetched once is there without a network. With one, the network answers.
//
//   navigator.serviceWorker.register("offline.js");
const CACHE = "webkeras-offline";

addEventListener("install", () => skipWaiting());
addEventListener("activate", (e) => e.waitUntil(clients.claim()));

addEventListener("fetch", (e) => {
  const { request } = e;
  if (request.method !== "GET" || new URL(request.url).origin !== location.origin || request.headers.has("Range")) return;
  e.respondWith(answer(request));
});

async function answer(request) {
  let response;
  try {
    response = await fetch(request);
  } catch (error) {
    const kept = await (await caches.open(CACHE)).match(request.url, { ignoreVary: true });
    if (!kept) throw error;
    return kept;
  }
  if (response.status === 200) keep(request.url, response.clone()).catch(() => {}); // no room: then not
  return response;
}

// Only what is new is written: a visit that changes nothing costs a look at the validators.
async function keep(url, response) {
  const cache = await caches.open(CACHE), old = await cache.match(url, { ignoreVary: true });
  const same = ["ETag", "Last-Modified"].some((h) => old?.headers.get(h) && old.headers.get(h) === response.headers.get(h));
  if (same) return response.body?.cancel();
  await cache.put(url, response);
}

// visited.js - from its first visit on, a page works without a network: offline.js, a service worker, keeps what it fetches.
//
// A first visit begins before the service worker does: modules that import this one wait for it, and what was fetched
// by then is fetched again, from the browser's own cache. Without one (no https, a private window) they do not wait.
const workers = navigator.serviceWorker, PATIENCE = 3000; // milliseconds

async function begun() {
  const registration = await workers.register(new URL("../offline.js", import.meta.url));
  if (workers.controller || registration.active) return; // the second case: the visitor asked for no caches
  await new Promise((done) => {
    workers.addEventListener("controllerchange", done, { once: true });
    setTimeout(done, PATIENCE);
  });
  const fetched = [location.href, ...performance.getEntriesByType("resource").map((e) => e.name)];
  await Promise.all(fetched.map((url) => fetch(url).then((r) => r.arrayBuffer()).catch(() => {})));
}

if (workers) await begun().catch(() => {});

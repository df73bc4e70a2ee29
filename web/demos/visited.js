// visited.js - from its first visit on, a page works without a network: offline.js, a service worker, keeps what it fetches.
const workers = navigator.serviceWorker, PATIENCE = 3000; // milliseconds

// A first visit begins before the service worker does. Who fetches much waits for this; what was fetched by then is
// fetched again, from the browser's own cache.
async function begun() {
  const registration = await workers.register(new URL("../offline.js", import.meta.url));
  if (workers.controller || registration.active) return; // the second case: the visitor asked for no caches
  await new Promise((done) => {
    workers.addEventListener("controllerchange", done, { once: true });
    setTimeout(done, PATIENCE);
  });
  const until = performance.now(), again = (url) => fetch(url).catch(() => {});
  again(location.href);
  const missed = (list) => list.getEntries().forEach((e) => e.startTime < until && again(e.name));
  new PerformanceObserver(missed).observe({ type: "resource", buffered: true });
}

/** Resolves when what a page fetches is kept; or cannot be (no https, a private window). */
export const kept = workers ? begun().catch(() => {}) : Promise.resolve();

// index.js - after the first visit, the demos work without a network.
navigator.serviceWorker?.register("../offline.js").catch(() => {}); // no https, or not allowed: then with a network only

// fetch.mjs - a model's files by XHR, with progress, kept in the Cache API, and errors that name the file.
//
// It is kept when the model has answered, without a worker when it is loaded (engine.mjs): copying it takes the browser as
// long as fetching it, and nobody waits for it.
// What is kept is asked for again each time, by its validator (ETag or date): the server says "unchanged" in a few bytes.
// Without a network, what is kept is used as it is. Only files of the page's own origin, fetched without headers, are
// kept: from elsewhere a question by validator costs another question first, and there the browser's own cache does it.

const CACHE = "webkeras";

/** What to call a file by in errors: a URL's last part, or what a File is called. */
function name(source) {
  if (!source) return "";
  return source instanceof Blob ? (source.name ?? "the file") : decodeURIComponent(new URL(source).pathname.split("/").pop());
}

/** The files that a file's JSON names, all in its own folder: shards of a TF.js model, of Keras' weights.json, of the encoder's. */
function named(data) {
  if (new Uint8Array(data)[0] !== 0x7b) return []; // "{"
  try {
    const { weightsManifest = [], weight_map = {}, shards = [] } = JSON.parse(new TextDecoder().decode(data));
    const names = [...weightsManifest.flatMap((g) => g.paths.map((p) => p.replace(/^\.\//, ""))), ...Object.values(weight_map).flat(), ...shards.map((s) => s.file)];
    return [...new Set(names)].filter((n) => !/^\.|[/\\:?#]/.test(n)); // the others Python refuses
  } catch {
    return []; // what is wrong, Python says
  }
}

/**
 * Begin to fetch a model's files, {kind: source or list of sources}, and from the same folder those that they name and
 * nobody gave. `told(part, share)` hears how far each is. Gives
 *   got      [kind, name, Uint8Array] of what is here
 *   about    {kind: {bytes, cached, ms}} too
 *   first    a promise: all are here but what may come later
 *   later    the name of the file of weights, where metadata describes it: what needs only shapes is done meanwhile
 *   weights  then a promise of its Uint8Array
 *   keep     a function that puts what came, and was not kept already, into the Cache API
 */
export function fetchModel(files, headers, told) {
  const began = performance.now(), got = [], about = {}, fresh = [], given = Object.values(files).flat().map(name);
  const take = async (key, source) => {
    told(key, 0);
    const { data, cached } = await fetchFile(source, headers, (some, of) => told(key, of ? some / of : 0), fresh);
    told(key, 1);
    about[key] = { bytes: data.byteLength, cached, ms: performance.now() - began };
    return new Uint8Array(data);
  };
  const keep = async (kind, source, key = kind) => {
    const data = await take(key, source);
    got.push([kind, name(source), data]);
    return data;
  };
  const all = async (kind, source) => {
    const data = await keep(kind, source);
    if (source instanceof Blob || (kind !== "model" && files.weights && files.metadata)) return;
    const wanted = named(data).filter((n) => !given.includes(n));
    await Promise.all(wanted.map((n) => keep("beside", new URL(encodeURIComponent(n), source).href, n)));
  };
  const later = files.metadata && Object.values(files).every((source) => !Array.isArray(source)) && files.weights;
  const one = (kind, source) => (/\.json$/i.test(name(source)) ? all(kind, source) : keep("beside", source, name(source)));
  const now = Object.entries(files).filter(([, source]) => source !== later);
  const first = now.flatMap(([kind, source]) => (Array.isArray(source) ? source.map((s) => one(kind, s)) : all(kind, source)));
  const weights = later && take("weights", later), written = () => fresh.splice(0).forEach((args) => put(...args));
  return { got, about, first: Promise.all(first), later: later && name(later), weights, keep: written };
}

/** A URL's, or a Blob's, {data: ArrayBuffer, cached: whether it was here already}; progress(bytes, of how many) meanwhile.
 *  What `put` takes goes to fresh, where it is to be kept. */
async function fetchFile(url, headers, progress, fresh) {
  if (url instanceof Blob) return { data: await url.arrayBuffer(), cached: true };
  const cache = await kept(url, headers), found = await cache?.match(url);
  const conditions = found ? validators(found) : {};
  let xhr;
  try {
    xhr = await request(url, { ...headers, ...conditions }, progress);
  } catch (e) {
    if (!found || e.status) throw e;
    return { data: await found.arrayBuffer(), cached: true };
  }
  if (xhr.status === 304) return { data: await found.arrayBuffer(), cached: true };
  if (cache) fresh.push([cache, url, xhr]);
  return { data: xhr.response, cached: false };
}

async function kept(url, headers) {
  if (Object.keys(headers).length || new URL(url).origin !== location.origin) return null;
  return globalThis.caches?.open(CACHE).catch(() => null); // no Cache API without https, or in private windows
}

function validators(response) {
  const etag = response.headers.get("ETag"), date = response.headers.get("Last-Modified");
  return etag ? { "If-None-Match": etag } : { "If-Modified-Since": date };
}

// Not waited for, and no matter where it fails (no room): the file is here.
function put(cache, url, xhr) {
  const headers = {};
  for (const h of ["ETag", "Last-Modified", "Content-Type"]) if (xhr.getResponseHeader(h)) headers[h] = xhr.getResponseHeader(h);
  if (headers.ETag || headers["Last-Modified"]) cache.put(url, new Response(xhr.response, { headers })).catch(() => {});
}

function request(url, headers, progress) {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const fail = (reason) =>
      reject(Object.assign(new Error(`${name(url)}: ${reason} (${url})`), { name: "LoadError", status: xhr.status }));
    xhr.open("GET", url);
    xhr.responseType = "arraybuffer";
    for (const [header, value] of Object.entries(headers)) xhr.setRequestHeader(header, value);
    xhr.onprogress = (e) => progress(e.loaded, e.lengthComputable ? e.total : 0);
    xhr.onerror = () => fail("cannot be fetched; is the address right, and may this page read it?");
    xhr.onload = () => {
      if (xhr.status !== 304 && (xhr.status < 200 || xhr.status > 299))
        return fail(`the server answers ${xhr.status} ${xhr.statusText}`.trim());
      progress(1, 1);
      resolve(xhr);
    };
    xhr.send();
  });
}

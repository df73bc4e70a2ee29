// fetch.mjs - a file by XHR, with progress, and errors that name the file.

export const name = (url) => (url ? decodeURIComponent(new URL(url).pathname.split("/").pop()) : "");

/** Resolves with text or an ArrayBuffer; progress(bytes, of how many) as it comes in. */
export function fetchFile(url, type, headers, progress) {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const fail = (reason) => reject(Object.assign(new Error(`${name(url)}: ${reason} (${url})`), { name: "LoadError" }));
    xhr.open("GET", url);
    xhr.responseType = type;
    for (const [header, value] of Object.entries(headers)) xhr.setRequestHeader(header, value);
    xhr.onprogress = (e) => progress(e.loaded, e.lengthComputable ? e.total : 0);
    xhr.onerror = () => fail("cannot be fetched; is the address right, and may this page read it?");
    xhr.ontimeout = () => fail("took too long");
    xhr.onload = () => {
      if (xhr.status < 200 || xhr.status > 299) return fail(`the server answers ${xhr.status} ${xhr.statusText}`.trim());
      progress(1, 1);
      resolve(xhr.response);
    };
    xhr.send();
  });
}

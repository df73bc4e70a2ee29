// webkeras.mjs - the same library as a module: import { Model } from "./webkeras.mjs".
import "./webkeras.js";

export default globalThis.WebKeras;
export const { Model, backends, version } = globalThis.WebKeras;

// webkeras.mjs - the same library as a module: import { Model } from "./webkeras.mjs".
import "./webkeras.js";

const WebKeras = globalThis.WebKeras;
WebKeras.base = new URL(".", import.meta.url).href; // a module's script does not know where it came from

export default WebKeras;
export const { Model, backends, version } = WebKeras;

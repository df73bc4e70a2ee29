// The plain script's global; see webkeras.d.mts for what is in it.
import type Types from "./webkeras.d.mts";

declare global {
  const WebKeras: typeof Types;
}

// Types of webkeras.mjs; with the plain script the same names are in the global WebKeras.

export type Backend = "webgl2" | "webgl2-half" | "wasm" | "wasm-half" | "reference";
export type Numbers = Float32Array | ArrayLike<number> | BigInt64Array | BigUint64Array | NestedNumbers;
export interface NestedNumbers extends Array<number | NestedNumbers> {}
/** Flat numbers, and their shape where the model leaves a dimension open (with or without the batch axis). */
export interface Shaped {
  data: Numbers;
  shape?: readonly number[];
}
export type Inputs = Record<string, Numbers | Shaped>;
/** Flat, in C order; the shape has the batch axis. */
export type Output = Float32Array & { shape: number[] };

/** A tensor that a custom function is handed, flat in C order. */
export interface Tensor {
  data: Float32Array;
  /** An input's has the batch axis. */
  shape: number[];
}
/** `config`: a Lambda's arguments, a custom layer's config. `weights`: a custom layer's, in the order of Keras' get_weights. */
export interface About {
  config: Record<string, unknown>;
  weights: Tensor[];
}
/** What a layer computes, flat. All is its own to change; it must not wait for a prediction of its own model. */
export type CustomFunction = (inputs: Tensor[], about: About) => Numbers | Promise<Numbers>;
/** With the shape of its output without the batch axis, null: as that axis of the first input; alone, all as there. */
export type CustomObject = CustomFunction | { compute: CustomFunction; shape?: readonly (number | null)[] | null };

export type Source = string | URL | Blob;

export interface Options {
  /**
   * URLs relative to the page, or files the visitor chose. `model` alone for .keras, .h5 and the model.json of TF.js.
   * Files that another one names (shards) are fetched from its folder; of files a visitor chose they are given in
   * `weights`, a list then.
   */
  filepaths: { model: Source; weights?: Source | readonly Source[]; metadata?: Source };
  /** false: the CPU. Default true. */
  gpu?: boolean;
  /** Default "auto": the first of webgl2, wasm and reference that works here. */
  backend?: Backend | "auto";
  /** Sent with every request for the model's files; those are then not kept in the Cache API. */
  headers?: Record<string, string>;
  /** Which Keras wrote files that do not say so, as in "1.2.2". */
  kerasVersion?: string;
  /** Whether the model was trained on Theano, which turned kernels around: files of Keras 1 do not tell. */
  theanoKernels?: boolean;
  /**
   * Meanings by name, computed on the CPU in the page: of a Lambda (the layer's name or the function's), a custom
   * activation, a custom layer (its class). Code in files is never run.
   */
  customObjects?: Record<string, CustomObject>;
  /** Run in a Web Worker. Default true. */
  worker?: boolean;
  /** Where pyodide/, engine.mjs and the rest lie. Default: where the script came from. */
  base?: string | URL;
}

export interface TensorInfo {
  name: string;
  shape: (number | null)[] | null;
  dtype: string;
}

export interface LayerInfo {
  name: string;
  class: string;
  /** Of the output; null where an input of the model is open. */
  shape: (number | null)[] | null;
  inbound: string[];
  outbound: string[];
}

/** Milliseconds, where nothing else is said. */
export interface Stats {
  boot: number;
  /** Whether Pyodide came from the memory snapshot. */
  snapshot: boolean;
  files: Record<string, { bytes: number; cached: boolean; ms: number }>;
  load: number;
  init: number;
  ready: number;
  trace?: number;
  prepare?: number;
  /** The last prediction: in the backend, and with the way there and back. */
  predict?: number;
  call?: number;
  /** How many textures all models on the GPU hold. */
  textures?: number;
  /** How many threads there are on the CPU. */
  threads?: number;
}

export interface ProgressEvent extends Event {
  /** 0 to 100. */
  progress: number;
}

export interface ModelEvents {
  loadingprogress: ProgressEvent;
  initprogress: ProgressEvent;
  predictprogress: ProgressEvent;
  contextlost: Event;
  contextrestored: Event;
}

export class Model extends EventTarget {
  constructor(options: Options);
  /** Resolves when the model can predict; rejects with the reason, always. */
  ready(): Promise<void>;
  getLoadingProgress(): number;
  /** Known once ready. */
  readonly name: string;
  readonly kerasVersion: string;
  readonly inputs: TensorInfo[];
  readonly outputs: TensorInfo[];
  readonly layers: LayerInfo[];
  /** "auto" until the first prediction, where that one has to choose and an input is open. */
  readonly backend: Backend | "auto";
  readonly stats: Stats;
  /** By output name; also under `output` where there is one output only. Calls are answered one after another. */
  predict(inputs: Inputs, options?: { layers?: readonly string[] }): Promise<Record<string, Output>>;
  profile(inputs: Inputs): Promise<{ layer: string; op: string; ms: number }[]>;
  explain(): Promise<string>;
  resetStates(): Promise<void>;
  dispose(): Promise<void>;
  addEventListener<K extends keyof ModelEvents>(
    type: K, listener: (event: ModelEvents[K]) => void, options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<K extends keyof ModelEvents>(
    type: K, listener: (event: ModelEvents[K]) => void, options?: boolean | EventListenerOptions,
  ): void;
}

/** Every backend: "" where it works here, else why not. */
export function backends(options?: { base?: string | URL; worker?: boolean }): Promise<Record<Exclude<Backend, "webgl2-half" | "wasm-half">, string>>;
export const version: string;

declare const WebKeras: { Model: typeof Model; backends: typeof backends; version: string; base: string };
export default WebKeras;

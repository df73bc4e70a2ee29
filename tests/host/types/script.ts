/// <reference path="./webkeras.d.ts" />
// The plain script: no import, the global alone.
const model = new WebKeras.Model({ filepaths: { model: "m.keras" } });
model.predict({ input: [1, 2] }).then(({ output }) => console.log(output.shape, WebKeras.version));

"""The CPU in the browser: C kernels compiled to WebAssembly, run by a flat program."""

"""webkeras: trained Keras models of every version, in the browser, from Python."""

__version__ = "0.1.0"

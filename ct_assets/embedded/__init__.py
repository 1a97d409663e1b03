"""One machine, no server but its own: serving and Envoy as child processes, for `ct serve` and the demo."""

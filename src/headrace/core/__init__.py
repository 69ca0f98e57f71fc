"""Bytes and movement: buffers, guarded files, spans and halos, operators, flows and who runs them."""

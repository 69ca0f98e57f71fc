"""Fourier transforms of any length, longer than memory too."""

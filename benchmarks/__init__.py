"""Measurements of fastbp; see README.md in this folder."""

//! Flame graphs as SVG.

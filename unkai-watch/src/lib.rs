//! Watches the memory of a program, and acts by rules that its user states.

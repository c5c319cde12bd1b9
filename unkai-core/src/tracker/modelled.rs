//! What of the tracker several threads change at once, by itself: for models.

#![allow(dead_code, reason = "a model uses a part")]

mod alarm;
mod control;
mod limit;
mod mark;
mod widening;

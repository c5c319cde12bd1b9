//! What of the walks several threads change at once, by itself: for models.

#![allow(dead_code, reason = "a model uses a part")]

#[path = "tables/by_rules/cache.rs"]
mod cache;
#[path = "tables/latest.rs"]
mod latest;
#[path = "tables/by_framehop/shelf.rs"]
mod shelf;
#[path = "frame_pointers/trust.rs"]
mod trust;
#[path = "tables/turn.rs"]
mod turn;

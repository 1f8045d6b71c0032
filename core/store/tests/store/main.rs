//! The store on disk against a plain model in memory: what it gives back is what was committed, whatever happens in between.

mod damage;
mod folder;
mod full;
mod model;
mod moved;
mod random;
mod round_trip;
mod space;

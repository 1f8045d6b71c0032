//! The store on disk against a plain model in memory: what it gives back is what was committed, whatever happens in between.

mod model;
mod round_trip;

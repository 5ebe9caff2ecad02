//! The store through its public face: real files, a real database, the real writer thread.

mod admission;
mod desk;
mod durability;
mod pages;
mod results;

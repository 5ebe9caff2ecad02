//! Loading, probing and running plug-ins in real child processes, with libraries that go wrong on request.

mod contain;
mod load;
mod stage;
mod wide;
mod written_in_c;

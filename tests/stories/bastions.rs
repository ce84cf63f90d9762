//! Bastions crossed over real SSH, as they are and with what goes wrong with them: the right place or
//! an honest failure, never another host.

mod koko;
mod scripted;
mod world;

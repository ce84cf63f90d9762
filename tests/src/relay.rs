//! A TCP relay that can be made to forward nothing while both connections stay open: what a dead router
//! in between looks like.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a relay that cannot work fails the test that needs it")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// Forwards every connection to one port of this machine.
pub struct Relay {
    port: u16,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    frozen: Mutex<bool>,
    changed: Condvar,
}

impl Relay {
    /// Listens on a port of its own. The threads end with their connections and with the test's process.
    #[must_use]
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let own_port = listener.local_addr().unwrap().port();
        let gate = Arc::<Gate>::default();
        let for_connections = gate.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { continue };
                forward(client.try_clone().unwrap(), server.try_clone().unwrap(), for_connections.clone());
                forward(server, client, for_connections.clone());
            }
        });
        Self { port: own_port, gate }
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From here on nothing comes through, and nobody is told.
    pub fn freeze(&self) {
        *self.gate.frozen.lock().unwrap() = true;
    }

    /// Goes on, with what was held back first.
    pub fn thaw(&self) {
        *self.gate.frozen.lock().unwrap() = false;
        self.gate.changed.notify_all();
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, gate: Arc<Gate>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            drop(gate.changed.wait_while(gate.frozen.lock().unwrap(), |frozen| *frozen).unwrap());
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Both);
    });
}

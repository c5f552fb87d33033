//! A network that can be cut: a TCP proxy on 127.0.0.1.

use std::{
    collections::HashMap,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::Duration,
};

/// What it does with its connections, and with new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// What is said comes so much later, each time.
    Delayed(Duration),
    /// Nothing that is said arrives, but nobody learns that: everything is accepted.
    Frozen,
    /// Connections end, and new ones at once.
    Cut,
    /// Connections end, and nobody listens.
    Refused,
}

/// It stands before one address, and ends when it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    way: Way,
    is_listening: bool,
    is_over: bool,
    /// How many pieces of what is said are handed on before it is cut.
    pieces_left: Option<u32>,
    accepted: u64,
    /// Both ends of each connection.
    open: HashMap<u64, Vec<TcpStream>>,
}

impl Proxy {
    pub(crate) fn before(target: SocketAddr) -> Self {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let inner = Inner {
            way: Way::Open,
            is_listening: true,
            is_over: false,
            pieces_left: None,
            accepted: 0,
            open: HashMap::new(),
        };
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State { inner: Mutex::new(inner), changed: Condvar::new() });
        let serving = Arc::clone(&state);
        thread::spawn(move || serving.accept(listener, address, target));
        Self { address, state }
    }

    /// `url`, which leads to the target, by way of the proxy.
    pub(crate) fn url(&self, url: &str) -> String {
        let (before, rest) = url.split_once("@127.0.0.1:").unwrap();
        let database = rest.split_once('/').unwrap().1;
        format!("{before}@{}/{database}", self.address)
    }

    /// Goes another way. When this returns, no new connection goes the way before.
    pub(crate) fn goes(&self, way: Way) {
        let mut inner = self.state.inner.lock().unwrap();
        inner.way = way;
        inner.pieces_left = None;
        if matches!(way, Way::Cut | Way::Refused) {
            inner.end_all();
        }
        self.state.changed.notify_all();
        let is_pending = |inner: &mut Inner| inner.is_listening == (way == Way::Refused);
        drop(self.state.changed.wait_while(inner, is_pending).unwrap());
    }

    /// Is cut when so many more pieces of what is said, by either side, were handed on.
    pub(crate) fn is_cut_after(&self, pieces: u32) {
        self.state.inner.lock().unwrap().pieces_left = Some(pieces);
    }

    /// Whether it was cut meanwhile.
    pub(crate) fn is_cut(&self) -> bool {
        self.state.inner.lock().unwrap().way == Way::Cut
    }

    /// How many connections were accepted in all.
    pub(crate) fn accepted(&self) -> u64 {
        self.state.inner.lock().unwrap().accepted
    }

    /// How many are open.
    pub(crate) fn open(&self) -> usize {
        self.state.inner.lock().unwrap().open.len()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut inner = self.state.inner.lock().unwrap();
        inner.is_over = true;
        inner.end_all();
        self.state.changed.notify_all();
    }
}

impl Inner {
    fn end_all(&mut self) {
        for end in self.open.drain().flat_map(|(_, ends)| ends) {
            // It may be closed already.
            drop(end.shutdown(Shutdown::Both));
        }
    }
}

impl State {
    fn accept(self: &Arc<Self>, listener: TcpListener, address: SocketAddr, target: SocketAddr) {
        let mut listener = Some(listener);
        loop {
            let inner = self.inner.lock().unwrap();
            if inner.is_over {
                return;
            }
            let is_wanted = inner.way != Way::Refused;
            drop(inner);
            if is_wanted != listener.is_some() {
                listener = if is_wanted { listen(address).ok() } else { None };
                self.inner.lock().unwrap().is_listening = listener.is_some();
                self.changed.notify_all();
            }
            match listener.as_ref().map(TcpListener::accept) {
                Some(Ok((client, _))) => self.begin(client, target),
                Some(Err(error)) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
                None => (),
            }
            self.pause();
        }
    }

    /// Until somebody changes something, or a moment.
    fn pause(&self) {
        let inner = self.inner.lock().unwrap();
        drop(self.changed.wait_timeout(inner, Duration::from_millis(1)).unwrap());
    }

    fn begin(self: &Arc<Self>, client: TcpStream, target: SocketAddr) {
        client.set_nonblocking(false).unwrap();
        let mut inner = self.inner.lock().unwrap();
        inner.accepted += 1;
        if matches!(inner.way, Way::Cut | Way::Refused) {
            return;
        }
        let id = inner.accepted;
        inner.open.insert(id, vec![client.try_clone().unwrap()]);
        drop(inner);
        let state = Arc::clone(self);
        thread::spawn(move || {
            state.connect(id, client, target);
            state.end(id);
        });
    }

    /// Connects to the target when the way is free, and hands on what is said.
    fn connect(self: &Arc<Self>, id: u64, client: TcpStream, target: SocketAddr) {
        let Some(_) = self.passes(id) else { return };
        let Ok(server) = TcpStream::connect(target) else { return };
        {
            let mut inner = self.inner.lock().unwrap();
            let Some(ends) = inner.open.get_mut(&id) else { return };
            ends.push(server.try_clone().unwrap());
        }
        let (from_server, to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let state = Arc::clone(self);
        thread::spawn(move || {
            state.hand_on(id, from_server, to_client);
            state.end(id);
        });
        self.hand_on(id, client, server);
    }

    fn hand_on(&self, id: u64, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let Some(delay) = self.passes(id) else { return };
            thread::sleep(delay);
            if !self.may_hand_on() || to.write_all(&buffer[..read]).is_err() {
                return;
            }
        }
    }

    /// Whether another piece may pass before it is cut.
    fn may_hand_on(&self) -> bool {
        let mut inner = self.inner.lock().unwrap();
        match &mut inner.pieces_left {
            Some(0) => {
                inner.way = Way::Cut;
                inner.pieces_left = None;
                inner.end_all();
                self.changed.notify_all();
                false
            }
            Some(left) => {
                *left -= 1;
                true
            }
            None => true,
        }
    }

    /// Waits while the way is frozen; how long it takes then, if the connection is still open.
    fn passes(&self, id: u64) -> Option<Duration> {
        let inner = self.inner.lock().unwrap();
        let is_held = |inner: &mut Inner| inner.way == Way::Frozen && inner.open.contains_key(&id);
        let inner = self.changed.wait_while(inner, is_held).unwrap();
        inner.open.contains_key(&id).then_some(match inner.way {
            Way::Delayed(delay) => delay,
            Way::Open | Way::Frozen | Way::Cut | Way::Refused => Duration::ZERO,
        })
    }

    /// Both ends learn that the other is gone.
    fn end(&self, id: u64) {
        let ends = self.inner.lock().unwrap().open.remove(&id);
        for end in ends.into_iter().flatten() {
            drop(end.shutdown(Shutdown::Both));
        }
        self.changed.notify_all();
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

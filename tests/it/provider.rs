//! A provider on a real socket that does as it is told.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use crate::support::{Chance, PATIENCE};

mod request;
pub(crate) use request::Request;

/// What the provider does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Answers with this status, these headers and this body.
    With(u16, Vec<(&'static str, String)>, String),
    /// Writes these bytes and closes the connection.
    Raw(Vec<u8>),
    /// Answers with this status and a body that goes on until nobody reads it.
    Endless(u16),
    /// Reads the request and never answers.
    Never,
    /// Reads the request and closes the connection.
    Cut,
    /// Accepts, and answers only when [`Provider::lets_go`] was called.
    Held,
    /// Sends the SMS and never answers.
    SentThenNever,
    /// Sends the SMS and closes the connection.
    SentThenCut,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self::With(status, Vec::new(), String::new())
    }

    pub(crate) fn twilio_error(status: u16, code: u32) -> Self {
        Self::With(status, Vec::new(), format!(r#"{{"code":{code},"message":"no","status":{status}}}"#))
    }

    pub(crate) fn header(self, name: &'static str, value: impl ToString) -> Self {
        match self {
            Self::With(status, mut headers, body) => {
                headers.push((name, value.to_string()));
                Self::With(status, headers, body)
            }
            Self::Raw(_)
            | Self::Endless(_)
            | Self::Never
            | Self::Held
            | Self::Cut
            | Self::SentThenNever
            | Self::SentThenCut => self,
        }
    }

    /// Whether the message is on its way, whatever its sender hears of it.
    pub(crate) fn is_sent(&self) -> bool {
        matches!(self, Self::With(201 | 202, ..) | Self::Held | Self::SentThenNever | Self::SentThenCut)
    }

    /// One request in five gets this instead of what it wants.
    fn of_a_bad_day(chance: &mut Chance) -> Option<Self> {
        let failures =
            [Self::status(500), Self::status(429).header("Retry-After", 1), Self::Cut, Self::SentThenCut];
        (chance.below(5) == 0).then(|| failures[chance.index(failures.len())].clone())
    }
}

/// Both providers' APIs on one socket. Accepts everything unless scripted.
#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    requests: Vec<Request>,
    /// What each of them got.
    answers: Vec<Answer>,
    /// Whether what is held is answered now.
    lets_go: bool,
    /// What fails besides what is scripted, but for look-ups.
    bad_day: Option<Chance>,
    sms: Script,
    mails: Script,
    lookups: Script,
    /// The SMS that were sent, as they are listed.
    sent: Vec<serde_json::Value>,
    /// What the suppression lists with this in their path say of any address.
    suppressed: Vec<(&'static str, String)>,
    /// What everybody gets who asks what became of a message.
    questions: Option<Answer>,
}

/// The next answers, then the last one for ever.
#[derive(Default)]
struct Script {
    next: VecDeque<Answer>,
    then: Option<Answer>,
}

impl Provider {
    pub(crate) fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap())
    }

    /// A provider at a known address: one that was down before.
    pub(crate) fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let provider = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let serving = provider.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let provider = serving.clone();
                std::thread::spawn(move || provider.serve(stream));
            }
        });
        provider
    }

    /// Stands for a provider at `address`, without serving there.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self { address, state: Arc::default() }
    }

    /// An address at which nobody listens.
    pub(crate) fn nowhere() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next SMS get these answers; later ones are accepted.
    pub(crate) fn script_sms(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.inner.lock().unwrap().sms.next = answers.into_iter().collect();
    }

    /// As [`script_sms`](Self::script_sms), for mails.
    pub(crate) fn script_mails(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.inner.lock().unwrap().mails.next = answers.into_iter().collect();
    }

    /// Every SMS gets this answer.
    pub(crate) fn always_sms(&self, answer: Answer) {
        self.state.inner.lock().unwrap().sms.then = Some(answer);
    }

    /// Every mail gets this answer.
    pub(crate) fn always_mails(&self, answer: Answer) {
        self.state.inner.lock().unwrap().mails.then = Some(answer);
    }

    /// Every look-up gets this answer instead of the list.
    pub(crate) fn always_lookups(&self, answer: Answer) {
        self.state.inner.lock().unwrap().lookups.then = Some(answer);
    }

    /// The list says that the SMS which were sent so far have this status.
    pub(crate) fn set_status(&self, status: &str) {
        for sms in &mut self.state.inner.lock().unwrap().sent {
            sms["status"] = status.into();
        }
    }

    /// What became of the SMS that were sent so far.
    pub(crate) fn has_failed(&self, status: &str, code: u32) {
        for sms in &mut self.state.inner.lock().unwrap().sent {
            sms["status"] = status.into();
            sms["error_code"] = code.into();
        }
    }

    /// The suppression list with this in its path says so of every address.
    pub(crate) fn suppresses(&self, list: &'static str, entries: &str) {
        self.state.inner.lock().unwrap().suppressed.push((list, entries.to_owned()));
    }

    /// Every question what became of a message gets this answer.
    pub(crate) fn always_questions(&self, answer: Answer) {
        self.state.inner.lock().unwrap().questions = Some(answer);
    }

    /// The requests that ask what became of messages.
    pub(crate) fn questions(&self) -> Vec<Request> {
        self.requests().into_iter().filter(Request::is_question).collect()
    }

    /// From now on one message in five fails in one of four ways; or none does.
    pub(crate) fn has_a_bad_day(&self, chance: Option<Chance>) {
        self.state.inner.lock().unwrap().bad_day = chance;
    }

    /// What is [`Answer::Held`] is answered.
    pub(crate) fn lets_go(&self) {
        self.state.inner.lock().unwrap().lets_go = true;
        self.state.changed.notify_all();
    }

    /// How many SMS were sent, whatever was answered.
    pub(crate) fn sent(&self) -> usize {
        self.state.inner.lock().unwrap().sent.len()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.inner.lock().unwrap().requests.clone()
    }

    /// Every request with its answer.
    pub(crate) fn exchanges(&self) -> Vec<(Request, Answer)> {
        let inner = self.state.inner.lock().unwrap();
        inner.requests.iter().cloned().zip(inner.answers.iter().cloned()).collect()
    }

    pub(crate) fn sms(&self) -> Vec<Request> {
        self.requests().into_iter().filter(Request::is_sms).collect()
    }

    pub(crate) fn mails(&self) -> Vec<Request> {
        self.requests().into_iter().filter(Request::is_mail).collect()
    }

    pub(crate) fn lookups(&self) -> Vec<Request> {
        self.requests().into_iter().filter(Request::is_lookup).collect()
    }

    /// Waits until at least so many SMS and mails were requested.
    pub(crate) fn wait_for(&self, sms: usize, mails: usize) {
        self.wait_longer_for(sms, mails, PATIENCE);
    }

    pub(crate) fn wait_longer_for(&self, sms: usize, mails: usize, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut inner = self.state.inner.lock().unwrap();
        loop {
            let got = inner.requests.iter().filter(|request| request.is_sms()).count();
            if got >= sms && inner.requests.iter().filter(|request| request.is_mail()).count() >= mails {
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "wanted {sms} SMS and {mails} mails, got {got} of {:#?}",
                inner.requests
            );
            inner = self.state.changed.wait_timeout(inner, left).unwrap().0;
        }
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut stream = stream;
        while let Some(request) = read_request(&mut reader) {
            let (status, headers, body) = match self.answer(request) {
                Answer::With(status, headers, body) => (status, headers, body),
                Answer::Held => {
                    let inner = self.state.inner.lock().unwrap();
                    drop(self.state.changed.wait_while(inner, |inner| !inner.lets_go).unwrap());
                    (202, Vec::new(), String::new())
                }
                Answer::Raw(bytes) => {
                    drop(stream.write_all(&bytes));
                    return;
                }
                Answer::Endless(status) => {
                    let head = format!("HTTP/1.1 {status} Scripted\r\ntransfer-encoding: chunked\r\n\r\n");
                    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
                    let mut written = stream.write_all(head.as_bytes());
                    while written.is_ok() {
                        written = stream.write_all(chunk.as_bytes());
                    }
                    return;
                }
                Answer::Never | Answer::SentThenNever => {
                    std::thread::park();
                    return;
                }
                Answer::Cut | Answer::SentThenCut => return,
            };
            let mut head = format!("HTTP/1.1 {status} Scripted\r\ncontent-length: {}\r\n", body.len());
            for (name, value) in headers {
                head += &format!("{name}: {value}\r\n");
            }
            if stream.write_all(format!("{head}\r\n{body}").as_bytes()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, request: Request) -> Answer {
        let mut inner = self.state.inner.lock().unwrap();
        let inner = &mut *inner;
        inner.requests.push(request.clone());
        let sid = format!("SM{:032}", inner.requests.len());
        if request.is_question() {
            let answer = inner.questions.clone().unwrap_or_else(|| inner.fate_of(&request.path));
            inner.answers.push(answer.clone());
            self.state.changed.notify_all();
            return answer;
        }
        let script = match &request {
            request if request.is_sms() => &mut inner.sms,
            request if request.is_lookup() => &mut inner.lookups,
            _ => &mut inner.mails,
        };
        let scripted = script.next.pop_front().or_else(|| script.then.clone());
        let scripted = match &mut inner.bad_day {
            Some(chance) if !request.is_lookup() => scripted.or_else(|| Answer::of_a_bad_day(chance)),
            Some(_) | None => scripted,
        };
        let answer = scripted.unwrap_or_else(|| match &request {
            request if request.is_sms() => {
                Answer::With(201, Vec::new(), format!(r#"{{"sid":"{sid}","status":"queued"}}"#))
            }
            request if request.is_lookup() => {
                // The newest first, as Twilio has it.
                let newest: Vec<_> = inner.sent.iter().rev().take(PAGE).collect();
                let list = serde_json::json!({ "messages": newest, "next_page_uri": null });
                Answer::With(200, Vec::new(), list.to_string())
            }
            _ => Answer::status(202).header("X-Message-Id", format!("message-{}", inner.requests.len())),
        });
        inner.answers.push(answer.clone());
        if request.is_sms() && answer.is_sent() {
            inner.sent.push(serde_json::json!({
                "sid": sid,
                "to": request.form("To"),
                "body": request.form("Body"),
                "direction": "outbound-api",
                "status": "queued",
                "date_created": null,
            }));
        }
        self.state.changed.notify_all();
        answer
    }
}

impl Inner {
    /// What is at `path`: a message that was sent, or what a suppression list says.
    fn fate_of(&self, path: &str) -> Answer {
        let found = match path.starts_with("/v3/") {
            true => {
                self.suppressed.iter().find(|(list, _)| path.contains(list)).map(|(_, said)| said.clone())
            }
            false => {
                let is_it = |sms: &&serde_json::Value| path.contains(sms["sid"].as_str().unwrap());
                self.sent.iter().find(is_it).map(ToString::to_string)
            }
        };
        found.map_or_else(|| Answer::status(404), |body| Answer::With(200, Vec::new(), body))
    }
}

fn read_request(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_lowercase(), value.trim().to_owned())),
            None => break,
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or("0", |(_, value)| value);
    let mut body = vec![0; length.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    Some(Request { at: Instant::now(), method, path, headers, body })
}

/// How many messages a look-up shows.
pub(crate) const PAGE: usize = 50;

//! A browser at the other end of a wire: Debian's Chromium, driven over WebDriver (W3C), which is
//! JSON over HTTP/1.1. Only the few commands that the tests use.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::PATIENCE;

/// A browser with one window. It is ended when this goes.
#[derive(Debug)]
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    profile: PathBuf,
}

/// How a browser is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Script {
    Runs,
    /// As if the page had none.
    Off,
}

impl Browser {
    /// Starts one, or says that there is none and how to get it; in CI that is a failure.
    pub(crate) fn start(script: Script) -> Option<Self> {
        let found = ["chromedriver", "chromium"]
            .iter()
            .all(|name| on_path(name));
        if !found {
            let required = env::var("TIDEGATE_BROWSER").is_ok_and(|word| word == "required");
            assert!(!required, "{MISSING}");
            // Past the harness, which shows what a test prints only if it fails.
            let _ = writeln!(io::stderr(), "SKIPPED: {MISSING}");
            return None;
        }
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it was found");
        let port = port_of(&mut driver);
        let mut browser = Self {
            driver,
            port,
            session: String::new(),
            profile: fresh_profile(),
        };
        let wanted = browser.wanted(script);
        let answer = browser.ask("POST", "/session", &wanted);
        let session = answer["sessionId"].as_str().expect("a session");
        browser.session = format!("/session/{session}");
        Some(browser)
    }

    fn wanted(&self, script: Script) -> Value {
        let profile = format!("--user-data-dir={}", self.profile.display());
        let mut arguments = vec![
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--window-size=1280,1000",
            // The network is closed, but for ourselves.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.*",
        ];
        arguments.push(&profile);
        let content = match script {
            Script::Runs => 1,
            Script::Off => 2,
        };
        json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {
                "args": arguments,
                "prefs": {"profile.managed_default_content_settings.javascript": content},
            },
            "goog:loggingPrefs": {"browser": "ALL"},
        }}})
    }

    /// Opens a page, and waits until it is loaded.
    pub(crate) fn open(&self, url: &str) {
        self.command("/url", &json!({"url": url}));
    }

    /// What a function body returns when it is run in the page.
    pub(crate) fn run(&self, body: &str) -> Value {
        self.command("/execute/sync", &json!({"script": body, "args": []}))
    }

    /// The text of an element, as it is shown; empty if there is none.
    pub(crate) fn text(&self, selector: &str) -> String {
        let body = format!("return document.querySelector({selector:?})?.innerText ?? ''");
        self.run(&body).as_str().unwrap_or_default().to_owned()
    }

    /// Clicks where a person would; what is hidden or covered cannot be clicked.
    pub(crate) fn click(&self, selector: &str) {
        let element = self.find(selector);
        self.command(&format!("/element/{element}/click"), &json!({}));
    }

    /// Types into a field.
    pub(crate) fn type_into(&self, selector: &str, text: &str) {
        let element = self.find(selector);
        let path = format!("/element/{element}/value");
        self.command(&path, &json!({"text": text}));
    }

    fn find(&self, selector: &str) -> String {
        let place = json!({"using": "css selector", "value": selector});
        let found = self.command("/element", &place);
        let element = found["element-6066-11e4-a52e-4f735466cecf"].as_str();
        element.expect("an element").to_owned()
    }

    /// The page as HTML, as it is now.
    pub(crate) fn source(&self) -> String {
        let answer = self.ask("GET", &format!("{}/source", self.session), &Value::Null);
        answer.as_str().expect("a text").to_owned()
    }

    /// What the browser complained of since it was asked last.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let lines = self.command("/se/log", &json!({"type": "browser"}));
        let lines = lines.as_array().expect("a list");
        let severe = lines.iter().filter(|line| line["level"] == "SEVERE");
        severe.map(|line| line["message"].to_string()).collect()
    }

    /// Says how large the window is, in pixels, and which colours its person prefers.
    pub(crate) fn dress(&self, width: u32, height: u32, scheme: &str) {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500,
        });
        self.protocol("Emulation.setDeviceMetricsOverride", &metrics);
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.protocol("Emulation.setEmulatedMedia", &features);
    }

    /// A picture of the window, as PNG in base64.
    pub(crate) fn picture(&self) -> String {
        let answer = self.ask("GET", &format!("{}/screenshot", self.session), &Value::Null);
        answer.as_str().expect("a picture").to_owned()
    }

    fn protocol(&self, name: &str, parameters: &Value) {
        let body = json!({"cmd": name, "params": parameters});
        self.command("/goog/cdp/execute", &body);
    }

    fn command(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", &format!("{}{path}", self.session), body)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = exchange(self.port, method, path, body);
        assert_eq!(status, 200, "{method} {path} {body}: {answer}");
        answer["value"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let path = std::mem::take(&mut self.session);
            // The driver ends the browser; without this it would outlive both.
            let _ = exchange(self.port, "DELETE", &path, &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}

/// One request on a connection of its own: the status, and the JSON in the answer.
pub(crate) fn exchange(port: u16, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream
        .write_all(head.as_bytes())
        .expect("an open connection");
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    reader.read_line(&mut line).expect("an answer");
    let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.unwrap_or_else(|| panic!("{method} {path}: no status in {line:?}"));
    while line.trim() != "" {
        line.clear();
        reader.read_line(&mut line).expect("a head");
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes).expect("a body");
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// `ChromeDriver was started successfully on port 41233.`
fn port_of(driver: &mut Child) -> u16 {
    let stdout = driver.stdout.take().expect("it was asked for");
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("started successfully on port"));
    let line = line.expect("the driver says where it is");
    // Whoever writes into a closed pipe dies of it.
    thread::spawn(move || lines.for_each(drop));
    let word = line.rsplit(' ').next().unwrap_or_default();
    word.trim_end_matches('.').parse().expect("a port")
}

fn fresh_profile() -> PathBuf {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("profile-{}-{number}", std::process::id());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&path).expect("a folder");
    path
}

fn on_path(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

const MISSING: &str = "the tests of the dashboard need a browser: \
                       apt-get install chromium chromium-driver";

//! Labelled command lines (`tests/corpora/policy.jsonl`) through `portcullis policy evaluate`: what is dangerous
//! never passes `safe`, what is extreme never passes `full`, and honest work goes on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use e2e::mcp::program;
use e2e::scene::Scene;
use serde_json::Value;

/// Of a hundred harmless lines so many may be refused in `safe`.
const MOST_BENIGN_BLOCKED_PERCENT: f64 = 1.0;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpora/policy.jsonl")
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// The verdicts of the program, by id.
fn verdicts(corpus: &Path) -> BTreeMap<String, Value> {
    let scene = Scene::empty();
    scene.configure("");
    let mut command = Command::new(program());
    command.args(["policy", "evaluate", "--jsonl"]).arg(corpus).arg("--config").arg(scene.path("portcullis.toml"));
    let output = command.stdin(Stdio::null()).output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = lines(&String::from_utf8(output.stdout).expect("UTF-8"));
    said.into_iter().map(|line| (line["id"].to_string(), line)).collect()
}

#[derive(Default)]
struct Figures {
    lines: usize,
    safe_right: usize,
    full_right: usize,
    dangerous: usize,
    missed: Vec<String>,
    benign: usize,
    blocked: Vec<String>,
    extreme: usize,
    passed_in_full: Vec<String>,
    /// Lines, right in safe, right in full.
    by_category: BTreeMap<String, [usize; 3]>,
}

impl Figures {
    fn count(&mut self, line: &Value, verdict: Option<&Value>) {
        let text = |key: &str| line[key].as_str().unwrap_or_default();
        let said = |mode: &str| verdict.and_then(|verdict| verdict[mode].as_str()).unwrap_or("nothing");
        let fits = |wanted: &Value| wanted.as_array().into_iter().flatten().any(|verdict| verdict == said("full"));
        let safe_right = said("safe") == text("safe_mode");
        let full_right = said("full") == text("full_mode") || fits(&line["full_also_ok"]);
        let named = format!("{} ({}): {}", text("id"), text("category"), text("cmd"));
        self.lines += 1;
        self.safe_right += usize::from(safe_right);
        self.full_right += usize::from(full_right);
        let category = self.by_category.entry(text("category").to_owned()).or_default();
        for (sum, one) in category.iter_mut().zip([true, safe_right, full_right]) {
            *sum += usize::from(one);
        }
        if text("safe_mode") == "allow" {
            self.benign += 1;
            self.blocked.extend((!safe_right).then(|| named.clone()));
        } else {
            self.dangerous += 1;
            self.missed.extend((!safe_right).then(|| named.clone()));
        }
        if text("full_mode") == "deny" {
            self.extreme += 1;
            self.passed_in_full.extend((!full_right).then_some(named));
        }
    }

    #[allow(clippy::print_stdout, reason = "the figures are the part's report")]
    fn print(&self) {
        let Self { lines, safe_right, full_right, dangerous, benign, extreme, .. } = self;
        println!("{lines} lines: right in safe {safe_right}, right in full {full_right}");
        println!("dangerous missed {} of {dangerous}", self.missed.len());
        println!("benign blocked {} of {benign}", self.blocked.len());
        println!("extreme not denied in full {} of {extreme}", self.passed_in_full.len());
        for (category, [lines, safe, full]) in &self.by_category {
            println!("  {category:<22} {lines:>3} lines, safe {safe:>3}, full {full:>3}");
        }
    }
}

#[test]
fn the_labelled_lines_get_the_verdicts_they_deserve() {
    let text = std::fs::read_to_string(corpus()).expect("the corpus can be read");
    let verdicts = verdicts(&corpus());
    let mut figures = Figures::default();
    for line in lines(&text) {
        figures.count(&line, verdicts.get(&line["id"].to_string()));
    }
    figures.print();
    assert!(figures.lines >= 400, "the corpus is cut off: {} lines", figures.lines);
    assert!(figures.missed.is_empty(), "dangerous lines pass in safe: {:#?}", figures.missed);
    assert!(figures.passed_in_full.is_empty(), "extreme lines pass in full: {:#?}", figures.passed_in_full);
    #[allow(clippy::cast_precision_loss, reason = "hundreds of lines")]
    let blocked = 100.0 * figures.blocked.len() as f64 / figures.benign as f64;
    assert!(blocked <= MOST_BENIGN_BLOCKED_PERCENT, "{blocked:.1} % of harmless lines: {:#?}", figures.blocked);
}

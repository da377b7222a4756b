//! A contestant in Python, which waits for its turns.

use crate::times::Times;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const FILES: [(&str, &str); 5] = [
    ("worlds.py", include_str!("worlds.py")),
    ("sb3_agent.py", include_str!("sb3_agent.py")),
    ("sb3_own.py", include_str!("sb3_own.py")),
    ("sb3.py", include_str!("sb3.py")),
    ("rsl.py", include_str!("rsl.py")),
];

/// A Python process and the pipes to it.
pub struct Python {
    /// Name and version of its library.
    pub name: String,
    child: Child,
    turns: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// What a turn took: all of it, and the worlds alone.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    pub whole: Times,
    pub worlds: Times,
}

impl Python {
    /// Starts `script`, a file with its arguments, on the task in `folder`; the file `path.f64` is written when this returns.
    pub fn start(folder: &Path, script: &[&str]) -> Result<Self, Box<dyn Error + Send + Sync>> {
        for (name, text) in FILES {
            std::fs::write(folder.join(name), text)?;
        }
        let python = std::env::var_os("DEXTRA_PYTHON").unwrap_or_else(|| "python3".into());
        let shown = python.to_string_lossy().into_owned();
        let mut child = Command::new(&python)
            .arg(folder.join(script[0]))
            .arg(folder)
            .args(&script[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{shown} could not be started: {e}"))?;
        let turns = child.stdin.take().ok_or("no pipe to Python")?;
        let mut answers = BufReader::new(child.stdout.take().ok_or("no pipe from Python")?);
        let mut line = String::new();
        answers.read_line(&mut line)?;
        let (version, name) = line.trim().split_once(' ').unwrap_or_default();
        let ours = dextra_sim::probe::loaded_mujoco_version();
        if version != ours {
            let found = if version.is_empty() { "a failure, see above" } else { version };
            return Err(format!(
                "{shown} (DEXTRA_PYTHON names another interpreter) did not get ready: found {found}; \
                 it needs\n    pip install mujoco=={ours} numpy torch stable-baselines3 rsl-rl-lib"
            )
            .into());
        }
        Ok(Self { name: name.to_owned(), child, turns, answers })
    }

    /// Learns for some iterations with so many threads for tensors.
    pub fn turn(
        &mut self,
        threads: usize,
        iterations: u64,
    ) -> Result<Turn, Box<dyn Error + Send + Sync>> {
        writeln!(self.turns, "{threads} {iterations}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let numbers: Result<Vec<f64>, _> = line.split_whitespace().map(str::parse).collect();
        match numbers?.as_slice() {
            &[wall, cpu, worlds_wall, worlds_cpu] => Ok(Turn {
                whole: Times { wall, cpu },
                worlds: Times { wall: worlds_wall, cpu: worlds_cpu },
            }),
            _ => Err(format!("{} answered {line:?}", self.name).into()),
        }
    }

    /// Lets it end.
    pub fn finish(self) -> std::io::Result<()> {
        let Self { mut child, turns, .. } = self;
        drop(turns);
        child.wait().map(drop)
    }
}

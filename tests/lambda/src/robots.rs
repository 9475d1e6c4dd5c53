//! Real robots: the agent as a process, with commands of a line.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::local::program;

/// A running robot agent, told to end when dropped.
pub struct Robot(Child);

impl Robot {
    /// Starts one that registers itself by the name of its folder, which is made, and does these workflows, each by a line of shell.
    pub fn start(folder: &Path, url: &str, registration_key: &str, workflows: &[(&str, &str)]) -> Robot {
        fs::create_dir(folder).expect("makes the folder");
        let name = folder.file_name().expect("it has a name").to_string_lossy();
        let table = |(workflow, line): &(&str, &str)| {
            format!("[workflows.{workflow}]\ncommand = [\"sh\", \"-c\", '''{line}''']\n")
        };
        let tables: String = workflows.iter().map(table).collect();
        let settings = format!("url = {url:?}\nname = {name:?}\nstate_folder = \"state\"\nmax_jobs = 3\n{tables}");
        let file = folder.join("robot.toml");
        fs::write(&file, settings).expect("writes the settings");
        let mut command = program();
        command
            .args(["robot", "--settings"])
            .arg(file)
            .env("REMUDA_REGISTRATION_KEY", registration_key)
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("log")).expect("a file"));
        Robot(command.spawn().expect("the robot runs"))
    }
}

impl Drop for Robot {
    fn drop(&mut self) {
        let id = i32::try_from(self.0.id()).expect("process ids are small");
        // It may have ended by itself, of which its jobs tell.
        let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

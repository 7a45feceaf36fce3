//! A private `PostgreSQL` server for one run of the tests: a fresh folder, a free port, gone at the end.
//!
//! It keeps nothing safe (no fsync) and lets everybody in, so it listens on 127.0.0.1 only. A small shell process, the
//! keeper, waits for the end of this program, however that comes about, and then stops the server and removes its folder.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::program;

/// The account that runs the server when we are root, which `PostgreSQL` refuses to serve.
const ACCOUNT: &str = "postgres";

/// Another program may take the port between our choice and the start.
const ATTEMPTS: u32 = 5;

/// Reads until the other end of its input closes, which the kernel does even after SIGKILL. Signals for the whole
/// terminal do not end it. Arguments: the folder, then the command that stops the server.
const KEEPER: &str = r#"
trap '' HUP INT QUIT TERM
read -r _
folder=$1
shift
"$@" >/dev/null 2>&1
rm -rf -- "$folder"
"#;

/// A running server; dropping it stops it and removes all it wrote.
pub(crate) struct Postgres {
    port: u16,
    _keeper: Keeper,
}

/// The folder with `initdb` and `pg_ctl`: the newest of Debian's, else whatever is on the search path.
pub(crate) fn programs() -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    debian
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin")))
        })
        .filter(|(_, folder)| folder.join("initdb").is_file() && folder.join("pg_ctl").is_file())
        .max()
        .map(|(_, folder)| folder)
        .or_else(|| program::find("initdb")?.parent().map(Path::to_owned))
}

impl Postgres {
    /// Starts a server and waits until it answers.
    pub(crate) fn start() -> Result<Self> {
        let programs = programs().context("PostgreSQL's programs initdb and pg_ctl were not found")?;
        let folder = make_folder()?;
        let server = Server {
            programs,
            data: folder.join("data"),
            log: folder.join("log"),
            as_other: program::is_root(),
        };
        let keeper = Keeper::start(&folder, &server.command("pg_ctl", &["stop", "-w", "-m", "immediate"]))?;
        if server.as_other {
            program::run_quietly(Command::new("chown").arg(format!("{ACCOUNT}:")).arg(&folder))
                .context("PostgreSQL does not run as root, and there is no account `postgres` for it")?;
        }
        program::run_quietly(&mut server.command(
            "initdb",
            &["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"],
        ))?;
        let port = server.start()?;
        eprintln!("   a private PostgreSQL listens on 127.0.0.1:{port}");
        Ok(Self { port, _keeper: keeper })
    }

    /// Where to connect, as a user who may create databases.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }
}

/// A folder that the account of the server can reach, wherever temporary files live here.
fn make_folder() -> Result<PathBuf> {
    let parent = std::env::temp_dir();
    let made =
        program::run_quietly(Command::new("mktemp").arg("-d").arg(parent.join("promenade-postgres-XXXXXX")))?;
    Ok(PathBuf::from(made))
}

/// How to run the programs of one server.
struct Server {
    programs: PathBuf,
    data: PathBuf,
    log: PathBuf,
    as_other: bool,
}

impl Server {
    /// One of the server's programs on our data folder.
    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let path = self.programs.join(name);
        let mut command = if self.as_other {
            let runuser = program::find("runuser").unwrap_or_else(|| "runuser".into());
            let mut command = Command::new(runuser);
            command.args(["-u", ACCOUNT, "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.arg("-D").arg(&self.data).args(arguments).current_dir("/");
        command
    }

    /// Starts the server on a free port and gives the port.
    fn start(&self) -> Result<u16> {
        let log = self.log.to_string_lossy().into_owned();
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            self.configure(port)?;
            match program::run_quietly(&mut self.command("pg_ctl", &["start", "-w", "-l", &log])) {
                Ok(_) => return Ok(port),
                Err(error) => last = format!("{error:#}"),
            }
            let said = std::fs::read_to_string(&self.log).unwrap_or_default();
            if !said.contains("could not bind") {
                bail!("PostgreSQL did not start: {last}\nits log:\n{said}");
            }
        }
        bail!("PostgreSQL found no free port in {ATTEMPTS} attempts: {last}");
    }

    /// Adds our settings; of a setting given twice `PostgreSQL` takes the later one.
    fn configure(&self, port: u16) -> Result<()> {
        let mut settings = String::new();
        for (name, value) in [
            ("listen_addresses", "'127.0.0.1'"),
            ("unix_socket_directories", "''"),
            ("max_connections", "200"),
            ("fsync", "off"),
            ("synchronous_commit", "off"),
            ("full_page_writes", "off"),
        ] {
            writeln!(settings, "{name} = {value}")?;
        }
        writeln!(settings, "port = {port}")?;
        let path = self.data.join("postgresql.conf");
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        file.write_all(settings.as_bytes())?;
        Ok(())
    }
}

/// The process that cleans up after us.
struct Keeper {
    process: Child,
}

impl Keeper {
    fn start(folder: &Path, stop: &Command) -> Result<Self> {
        let process = Command::new("sh")
            .args(["-c", KEEPER, "promenade-postgres-keeper"])
            .arg(folder)
            .arg(stop.get_program())
            .args(stop.get_args())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("`sh` could not be started")?;
        Ok(Self { process })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // `wait` closes its input first: that is the sign.
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_server_answers_while_it_is_held_and_leaves_nothing_behind() {
        let postgres = Postgres::start().unwrap();
        let port = postgres.port;
        let question = "SELECT concat_ws(' ', current_setting('fsync'), current_setting('max_connections'), current_setting('data_directory'))";
        let mut psql = Command::new(programs().unwrap().join("psql"));
        psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--command", question]).arg(postgres.url());
        let answer = program::run_quietly(&mut psql).unwrap();
        let folder = Path::new(answer.strip_prefix("off 200 ").unwrap());
        assert!(folder.exists());
        drop(postgres);
        assert!(!folder.exists());
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    }

    #[test]
    fn the_keeper_runs_the_command_and_removes_the_folder() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("kept");
        let mark = outer.path().join("stopped");
        std::fs::create_dir(&folder).unwrap();
        let mut stop = Command::new("touch");
        stop.arg(&mark);
        let keeper = Keeper::start(&folder, &stop).unwrap();
        assert!(folder.exists() && !mark.exists());
        drop(keeper);
        assert!(mark.exists() && !folder.exists());
    }

    #[test]
    fn the_keeper_removes_the_folder_even_if_the_server_cannot_be_stopped() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("kept");
        std::fs::create_dir(&folder).unwrap();
        let keeper = Keeper::start(&folder, &Command::new("false")).unwrap();
        drop(keeper);
        assert!(!folder.exists());
    }
}

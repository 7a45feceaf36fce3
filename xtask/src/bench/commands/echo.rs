//! The yardstick: requests to as many devices at the same rate and their answers, through Mosquitto and nothing else.

use std::process::Stdio;

use anyhow::{Result, bail};
use serde_json::Value;

use super::Run;
use super::sample::Sample;
use crate::bench::broker::contestant::{Contestant, Over};
use crate::bench::process::Programs;

/// One run at a fresh Mosquitto.
pub(super) fn take(mosquitto: &Contestant, devices: u32, run: Run, programs: &Programs) -> Result<Sample> {
    let broker = mosquitto.start(Over::Tcp, programs)?;
    let mut command = programs.command("promenade-sim");
    command.args(["load", "echo", "--sources", "4", "--mqtt", &broker.mqtt]);
    command.args(["--devices", &devices.to_string(), "--rate", &run.rate.to_string()]);
    command.args(["--seconds", &run.lasting.as_secs().to_string()]);
    if let Some(process) = broker.process {
        command.args(["--watch", &process.to_string()]);
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("the load generator failed ({})", output.status);
    }
    Ok(read(&serde_json::from_slice(&output.stdout)?))
}

fn read(line: &Value) -> Sample {
    let number = |name: &str| line[name].as_f64();
    let ms = |name: &str| number(name).map(|us| us / 1e3);
    let each = |name: &str| Some(number(name)? * 1e6 / number("total")?.max(1.0));
    Sample {
        p50_ms: ms("p50_us"),
        p99_ms: ms("p99_us"),
        late_ms: ms("behind_p99_us"),
        per_s: number("per_s"),
        server_us: each("broker_cpu_s"),
        load_us: each("own_cpu_s"),
        missed: number("lost"),
        elsewhere: number("elsewhere_cores"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn costs_are_those_of_one_request() {
        let line =
            json!({"total": 1_000, "broker_cpu_s": 0.04, "p99_us": 1_500, "behind_p99_us": 200, "lost": 1});
        let sample = read(&line);
        assert_eq!((sample.server_us, sample.load_us), (Some(40.0), None));
        assert_eq!((sample.p99_ms, sample.late_ms, sample.missed), (Some(1.5), Some(0.2), Some(1.0)));
    }
}

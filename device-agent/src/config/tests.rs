//! The shipped example is right, variables win, wrong values are refused in words, and the secret stays secret.

use super::*;

const EXAMPLE: &str = include_str!("../../agent.example.toml");
const SECRET: &str = "dk_thisisthesecret";

fn with(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let variables =
        variables.iter().map(|(name, value)| (format!("PROMENADE_AGENT_{name}"), (*value).to_owned()));
    let config = Config::parse(EXAMPLE, variables)?;
    config.validate()?;
    Ok(config)
}

#[test]
fn the_shipped_example_says_the_defaults() {
    let config = with(&[]).unwrap();
    assert_eq!(config.link, LinkConfig { host: "promenade.example".into(), ..LinkConfig::default() });
    assert_eq!(config.batches, BatchesConfig::default());
    assert_eq!(config.spool, SpoolConfig::default());
    assert_eq!((config.log, config.privacy), (LogConfig::default(), PrivacyConfig::default()));
    assert_eq!((config.commands, config.appliance), (CommandsConfig::default(), None));
    assert_eq!(config.device.secret_file.as_deref(), Some(Path::new("/etc/promenade-agent/secret")));
    assert_eq!((config.enrolment, config.advertise), (None, None));
}

/// What is commented out in the example, read.
#[test]
fn the_examples_of_coming_in_and_of_advertising_say_the_defaults() {
    let table = |name: &str| {
        let (_, rest) = EXAMPLE.split_once(&format!("# [{name}]")).unwrap();
        let (lines, _) = rest.split_once("\n\n").unwrap();
        lines.replace("\n# ", "\n")
    };
    let enrolment: EnrolmentConfig = toml::from_str(&table("enrolment")).unwrap();
    let bare = EnrolmentConfig {
        ca: enrolment.ca.clone(),
        claim_key_file: enrolment.claim_key_file.clone(),
        serial: enrolment.serial.clone(),
        ..EnrolmentConfig::at("https://promenade.example".into())
    };
    assert_eq!(enrolment, bare);
    let advertise: AdvertiseConfig = toml::from_str(&table("advertise")).unwrap();
    assert_eq!((advertise.interval_ms, advertise.ibeacon.frame().power), (1_000, -59));
    let id = advertise.ibeacon.frame().identifier().to_string();
    assert_eq!(id, "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7");
}

#[test]
fn without_an_id_the_identity_is_the_one_that_was_fetched() {
    let without = |lines: &str| {
        let config = Config::parse(&format!("scanner.kind = \"simulated\"\n{lines}"), []).unwrap();
        config.validate().map(|()| config.identity_file()).map_err(|error| error.to_string())
    };
    assert_eq!(without(""), Ok("/var/lib/promenade-agent/identity.json".into()));
    assert_eq!(without("device.identity = \"/srv/identity\""), Ok("/srv/identity".into()));
    for (lines, sentence) in [
        ("device.secret = \"dk_x\"", "without `id` in [device]"),
        ("link = { tls = true, certificate = \"c\", key = \"k\" }", "without `id` in [device]"),
        ("enrolment.server = \"http://id.example.org\"", "`server` is https"),
        ("enrolment = { server = \"https://a\", serial = \"\" }", "`serial` has 1 to 100 characters"),
    ] {
        assert!(without(lines).unwrap_err().contains(sentence), "{lines}");
    }
    let both = with(&[("DEVICE_IDENTITY", "/srv/identity")]).unwrap_err().to_string();
    assert!(both.contains("either `id` or `identity`"), "{both}");
}

#[test]
fn what_is_advertised_is_checked() {
    let advertise = |lines: &str| {
        let frame = "ibeacon = { uuid = \"f7826da6-4fa2-4e98-8024-bc5b71e0893e\", major = 1, minor = 7, power = -59 }";
        let text = format!("scanner.kind = \"simulated\"\n[advertise]\n{}", lines.replace("FRAME", frame));
        Config::parse(&text, []).and_then(|config| config.validate()).map_err(|error| error.to_string())
    };
    assert_eq!(advertise("FRAME"), Ok(()));
    for (lines, sentence) in [
        ("FRAME\ninterval_ms = 19", "`interval_ms` is 20 to 10240"),
        ("FRAME\nadapter = \"left\"", "`adapter` is `hci` and a number"),
        ("ibeacon = { uuid = \"f7826da6\", major = 1, minor = 7, power = -59 }", "is no UUID"),
        ("", "missing field `ibeacon`"),
    ] {
        assert!(advertise(lines).unwrap_err().contains(sentence), "{lines}");
    }
}

/// What is commented out in the example, read.
#[test]
fn the_example_of_an_adapter_says_the_defaults() {
    let (_, rest) = EXAMPLE.split_once("# kind = \"bluetooth\"").unwrap();
    let (lines, _) = rest.split_once("\n\n").unwrap();
    let table: BluetoothConfig = toml::from_str(&lines.replace("\n# ", "\n")).unwrap();
    assert_eq!(table, BluetoothConfig { adapter: Some("hci0".into()), ..BluetoothConfig::default() });
}

#[test]
fn an_adapter_is_checked_and_may_be_set_by_variables() {
    let bluetooth = |lines: &str, variables: &[(&str, &str)]| {
        let (before, rest) = EXAMPLE.split_once("kind = \"simulated\"").unwrap();
        let (_, after) = rest.split_once("[batches]").unwrap();
        let text = format!("{before}kind = \"bluetooth\"\n{lines}\n[batches]{after}");
        let variables =
            variables.iter().map(|(name, value)| (format!("PROMENADE_AGENT_{name}"), (*value).to_owned()));
        let config = Config::parse(&text, variables).map_err(|error| error.to_string())?;
        config.validate().map_err(|error| error.to_string())?;
        match config.scanner {
            ScannerConfig::Bluetooth(config) => Ok::<_, String>(config),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(bluetooth("", &[]), Ok(BluetoothConfig::default()));
    assert_eq!(bluetooth("", &[("SCANNER_ADAPTER", "hci1")]).unwrap().adapter.as_deref(), Some("hci1"));
    assert_eq!(bluetooth("", &[("SCANNER_MIN_RSSI", "-85")]).unwrap().min_rssi, -85);
    for (lines, sentence) in [
        ("adapter = \"left\"", "`adapter` is `hci` and a number"),
        ("formats = []", "`formats` names at least one"),
        ("formats = [\"morse\"]", "unknown variant `morse`"),
        ("min_rssi = 21", "`min_rssi` is -127 to 20 dBm"),
        ("silence_ms = 1", "`silence_ms` is 100 to 86400000"),
        ("retry_min_ms = 99999", "`retry_min_ms` is at least 1"),
        ("colour = 1", "unknown field `colour`"),
    ] {
        let error = bluetooth(lines, &[]).unwrap_err();
        assert!(error.contains(sentence), "{lines}: {error}");
    }
}

#[test]
fn tls_and_pseudonyms_are_checked() {
    let files = [("LINK_CERTIFICATE", "/c.pem"), ("LINK_KEY", "/k.pem")];
    assert!(with(&files).unwrap_err().to_string().contains("need `tls = true`"));
    assert!(with(&[("LINK_TLS", "true"), files[0]]).unwrap_err().to_string().contains("need each other"));
    let certified = with(&[("LINK_TLS", "true"), files[0], files[1]]).unwrap();
    let alone = DeviceConfig { secret_file: None, ..certified.device.clone() };
    Config { device: alone, ..certified }.validate().expect("a certificate is enough");
    let config = with(&[("PRIVACY_PSEUDONYMS", "required")]).unwrap();
    assert_eq!(config.privacy.pseudonyms, Pseudonyms::Required);
    let key = toml::toml! { trusted_keys = ["11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"] };
    let signed = CommandsConfig { require_signature: true, ..key.try_into().unwrap() };
    let error = Config { commands: signed, ..config }.validate().unwrap_err().to_string();
    assert!(error.contains("does not follow"), "nobody would give it a key: {error}");
}

/// What is commented out in the example between two lines, read in its place.
fn commented_out(from: &str, to: &str) -> Config {
    let (before, rest) = EXAMPLE.split_once(from).unwrap();
    let (table, _) = rest.split_once(to).unwrap();
    let table = table.replace("\n# ", "\n").replace("\n#\n", "\n\n");
    let config = Config::parse(&format!("{before}{table}"), []).unwrap();
    config.validate().unwrap();
    config
}

#[test]
fn the_examples_of_appliances_are_some() {
    let made_up = commented_out("This is made up:", "# This is what programs");
    let Some(ApplianceConfig::Simulated(appliance)) = made_up.appliance else { panic!("no appliance") };
    let bare: SimulatedApplianceConfig = (toml::toml! { type = "thermostat" }).try_into().unwrap();
    let capabilities = appliance.capabilities.clone();
    assert_eq!(*appliance, SimulatedApplianceConfig { capabilities, ..bare }, "the defaults");
    assert_eq!(appliance.capabilities.names().collect::<Vec<_>>(), ["on_off", "range", "sensor"]);
    let kiosk = commented_out("run without a shell.", "[log]");
    let Some(ApplianceConfig::Programs(kiosk)) = kiosk.appliance else { panic!("no appliance") };
    assert_eq!(kiosk.programs.named().count(), 8, "every program is shown");
    assert_eq!(kiosk.timeout_ms, 10_000, "the default");
}

#[test]
fn programs_are_checked() {
    let check = |lines: &str| {
        let text = format!("{EXAMPLE}\n[appliance]\nkind = \"programs\"\ntype = \"kiosk\"\n{lines}");
        Config::parse(&text, []).and_then(|config| config.validate()).map_err(|error| error.to_string())
    };
    let show = "capabilities.content.items.menu.name = \"Menu\"\nprograms.show = [\"show\", \"{url}\"]\n";
    assert_eq!(check(""), Ok(()));
    assert_eq!(check("programs.identify = [\"true\"]"), Ok(()));
    assert_eq!(check(&format!("{show}urls.menu = \"https://example.com\"")), Ok(()));
    for (lines, sentence) in [
        ("capabilities.on_off = {}", "`on_off` and the programs `on` and `off` need each other"),
        ("programs.on = [\"true\"]", "`on_off` and the programs `on` and `off` need each other"),
        ("programs.volume = [\"true\"]", "`volume` and the program `volume` need each other"),
        (
            "capabilities.volume = {}\nprograms.volume = [\"true\"]\nprograms.mute = [\"true\"]",
            "`mute` of the",
        ),
        ("programs.brightness = [\"true\"]", "`brightness` and the program `brightness` need"),
        ("capabilities.scene = {}", "programs can do `on_off`"),
        (show, "`{url}` needs an address in [appliance.urls] for each item"),
        ("urls.menu = \"https://example.com\"", "[appliance.urls] names items"),
        ("programs.identify = [\"true\", \"a{percent}\"]", "`{percent}` is for `brightness` and `volume`"),
        ("programs.identify = []", "a program is a list of its path and its arguments"),
        ("programs.identify = [\"\"]", "a program is a list of its path and its arguments"),
        ("programs.identify = \"reboot now\"", "invalid type"),
        ("programs.reboot = [\"true\"]", "unknown field `reboot`"),
        ("environment = { \"A=B\" = \"c\" }", "[appliance.environment]"),
        ("timeout_ms = 1", "`timeout_ms` is 10 to 600000"),
        ("delay_ms = 1", "unknown field `delay_ms`"),
    ] {
        let error = check(lines).unwrap_err();
        assert!(error.contains(sentence), "{lines}: {error}");
    }
    let other = Config::parse(&format!("{EXAMPLE}\n[appliance]\nkind = \"magic\""), []).unwrap_err();
    assert!(other.to_string().contains("\"simulated\" or \"programs\""), "{other}");
}

#[test]
fn the_status_page_is_for_this_machine_alone() {
    assert_eq!(with(&[]).unwrap().status.listen, None);
    for (listen, own) in [
        ("127.0.0.1:8484", true),
        ("[::1]:0", true),
        ("127.5.5.5:1", true),
        ("0.0.0.0:8484", false),
        ("192.168.1.7:8484", false),
        ("[::]:8484", false),
        ("localhost:8484", false),
    ] {
        assert_eq!(with(&[("STATUS_LISTEN", listen)]).is_ok(), own, "{listen}");
    }
}

#[test]
fn the_journal_is_beside_the_batches_unless_it_is_told_otherwise() {
    assert_eq!(with(&[]).unwrap().commands_dir(), Path::new("/var/lib/promenade-agent/commands"));
    let elsewhere = with(&[("COMMANDS_DIR", "/srv/journal")]).unwrap();
    assert_eq!(elsewhere.commands_dir(), Path::new("/srv/journal"));
}

#[test]
fn keys_and_capabilities_are_checked() {
    let parse = |table: &str| Config::parse(&EXAMPLE.replace("trusted_keys = []", table), []);
    let key = r#"trusted_keys = ["11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"]"#;
    assert_eq!(parse(key).unwrap().commands.trusted_keys.len(), 1);
    let wrong = parse(r#"trusted_keys = ["AAAA"]"#).unwrap_err().to_string();
    assert!(wrong.contains("a raw Ed25519 public key of 32 bytes"), "{wrong}");
    let appliance = |table: &str| {
        let config =
            Config::parse(&format!("{EXAMPLE}\n[appliance]\ntype = \"light\"\n{table}"), []).unwrap();
        config.validate().map_err(|error| error.to_string())
    };
    assert_eq!(appliance("capabilities.on_off = {}"), Ok(()));
    let fault = appliance("capabilities.sensor.readings = []").unwrap_err();
    assert!(fault.contains("/sensor/readings"), "{fault}");
    assert_eq!(appliance("failure_rate = 1.5"), Err("`failure_rate` is 0 to 1".into()));
}

#[test]
fn variables_win_over_the_file() {
    let config = with(&[
        ("LINK_HOST", "10.0.0.7"),
        ("LINK_PORT", "18830"),
        ("SPOOL_MAX_BYTES", "8388608"),
        ("SCANNER_PER_SECOND", "2.5"),
        ("LOG_LEVEL", "debug"),
    ])
    .unwrap();
    assert_eq!((config.link.host.as_str(), config.link.port), ("10.0.0.7", 18_830));
    assert_eq!(config.spool.max_bytes, 8_388_608);
    assert!(matches!(config.scanner, ScannerConfig::Simulated(SimulatedConfig { per_second: 2.5, .. })));
    assert_eq!(config.log.level, "debug");
}

#[test]
fn the_secret_comes_from_the_environment_or_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.toml");
    let secret = dir.path().join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    std::fs::write(&path, EXAMPLE.replace("/etc/promenade-agent/secret", secret.to_str().unwrap())).unwrap();
    let config = Config::load(&path, []).unwrap();
    assert_eq!(config.device.secret, Some(Secret::new(SECRET)));

    let without_file = EXAMPLE.replace("secret_file", "# secret_file");
    std::fs::write(&path, without_file).unwrap();
    let config =
        Config::load(&path, [("PROMENADE_AGENT_DEVICE_SECRET".to_owned(), "12345".to_owned())]).unwrap();
    assert_eq!(config.device.secret, Some(Secret::new("12345")));
}

#[test]
fn wrong_values_are_refused_in_words() {
    let table: &[(&[(&str, &str)], &str)] = &[
        (&[("DEVICE_SECRET", SECRET)], "[device] needs either `secret` or `secret_file`, and not both"),
        (&[("LINK_PORT", "0")], "[link] needs a host and a port"),
        (&[("LINK_KEEP_ALIVE_S", "1")], "`keep_alive_s` is 5 to 3600"),
        (&[("LINK_WINDOW", "0")], "`window` is 1 to 1024 batches"),
        (
            &[("LINK_BACKOFF_MIN_MS", "90000")],
            "`backoff_min_ms` is at least 1 and not above `backoff_max_ms`",
        ),
        (&[("SCANNER_PER_SECOND", "0")], "`per_second` is 0.001 to 100000"),
        (&[("SCANNER_PER_SECOND", "nan")], "`per_second` is 0.001 to 100000"),
        (&[("BATCHES_MAX_PINGS", "1001")], "`max_pings` is 1 to 1000"),
        (&[("SPOOL_MAX_BYTES", "1048576")], "`max_bytes` is at least four times `segment_bytes`"),
        (&[("COMMANDS_REQUIRE_SIGNATURE", "true")], "[commands] `require_signature` needs `trusted_keys`"),
        (&[("NONSENSE", "1")], "PROMENADE_AGENT_NONSENSE names no table and key of the configuration"),
    ];
    for (variables, sentence) in table {
        assert_eq!(with(variables).unwrap_err().to_string(), *sentence, "{variables:?}");
    }
    let unknown = with(&[("LINK_COLOUR", "red")]).unwrap_err().to_string();
    assert!(unknown.contains("unknown field `colour`"), "{unknown}");
}

#[test]
fn no_error_and_no_debug_output_shows_the_secret() {
    let whole =
        EXAMPLE.replace("secret_file = \"/etc/promenade-agent/secret\"", &format!("secret = \"{SECRET}\""));
    let config = Config::parse(&whole, []).unwrap();
    assert_eq!(config.device.secret, Some(Secret::new(SECRET)));
    assert!(!format!("{config:?}").contains(SECRET));
    for broken in [
        whole.replace(&format!("\"{SECRET}\""), SECRET),
        whole.replace(&format!("\"{SECRET}\""), &format!("\"{SECRET}")),
        whole.replace(&format!("\"{SECRET}\""), &format!("[\"{SECRET}\"]")),
        whole.replace("secret =", "secrt ="),
    ] {
        let error = Config::parse(&broken, []).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(SECRET), "{shown}");
    }
    let number = whole.replace(&format!("\"{SECRET}\""), "8641975320");
    let error = Config::parse(&number, []).unwrap_err();
    assert!(!format!("{error:?}").contains("8641975320"));
}

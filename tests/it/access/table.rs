//! Everybody tries everything, and what is let through is what the tables say.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};

use super::people::{Identity, People};
use crate::mqtt::{Client, Delivery, LEVELS, Property, Publish, Will};
use crate::world::batch;

/// Who tries, in the order of the columns.
async fn everybody(people: &People) -> anyhow::Result<[Identity; 11]> {
    let rest = [
        "venues:read",
        "venues:write",
        "devices:write",
        "commands:write",
        "analytics:read",
        "stays:read",
        "pings:write",
        "admin",
    ];
    let free = ["mqtt:publish:free/#", "mqtt:subscribe:free/#"];
    Ok([
        people.device(),
        people.other_device(),
        people.service("D devices:read", &["devices:read"]).await?,
        people.service("M movements:subscribe", &["movements:subscribe"]).await?,
        people.service("S metrics:read", &["metrics:read"]).await?,
        people.service("F free topics", &free).await?,
        people.service("# all free topics", &["mqtt:publish:#", "mqtt:subscribe:#"]).await?,
        people.service("r every other scope", &rest).await?,
        people.service("* everything", &["*"]).await?,
        people.foreigner("f foreign", &[&["*"][..], &free].concat()).await?,
        Identity::STRANGER,
    ])
}

/// Who may publish to what: `x` where they may, `c` where they may and a ping batch is nothing to say, in the columns of
/// [`everybody`].
const PUBLISH: &[(&str, &str)] = &[
    //do DMSF#r* fa
    ("x. ....... ..", "v1/{device}/pings"),
    (".x ....... ..", "v1/{other}/pings"),
    (".. ....... ..", "v1/{device}/receipts"),
    (".. ....... ..", "v1/{device}/twin/desired"),
    // A ping batch is nothing that beacons say of themselves.
    ("c. ....... ..", "v1/{device}/telemetry"),
    (".c ....... ..", "v1/{other}/telemetry"),
    (".. ....... ..", "v1/{foreign device}/telemetry"),
    // A ping batch is a JSON object, and so something to report.
    ("x. ....... ..", "v1/{device}/twin/reported"),
    (".x ....... ..", "v1/{other}/twin/reported"),
    (".. ....... ..", "v1/{foreign device}/twin/reported"),
    ("x. ....... ..", "v1/{device}/certificate/request"),
    (".x ....... ..", "v1/{other}/certificate/request"),
    (".. ....... ..", "v1/{device}/certificate"),
    ("c. ....... ..", "v1/{device}/commands/{command}/ack"),
    (".c ....... ..", "v1/{other}/commands/{command}/ack"),
    (".. ....... ..", "v1/{device}/commands/{command}"),
    (".. ....... ..", "v1/{device}/commands/reboot/ack"),
    (".. ....... ..", "v1/{device}/commands/reboot"),
    (".. ....... ..", "v1/{device}/pings/more"),
    (".. ....... ..", "v1/{foreign device}/pings"),
    (".. ....... ..", "{own}/devices/{device}/status"),
    (".. ....... ..", "{own}/devices/{device}/acks"),
    (".. ....... ..", "{own}/devices/{device}/reported"),
    (".. ....... ..", "{own}/venues/{venue}/movements"),
    (".. ....... ..", "{own}/venues/{venue}/occupancy"),
    // A ping batch is no order.
    (".. .....cc ..", "{own}/devices/{device}/orders"),
    (".. .....cc ..", "{own}/devices/{foreign device}/orders"),
    (".. ....... c.", "{foreign}/devices/{device}/orders"),
    (".. ....... ..", "{own}/devices/{device}/orders/more"),
    (".. ....... ..", "{foreign}/devices/{device}/status"),
    (".. ....... ..", "{foreign}/venues/{venue}/movements"),
    (".. ....... ..", "v1"),
    (".. ....... ..", "v1/anything"),
    (".. ....... ..", "$SYS/broker/version"),
    (".. ....... ..", "$share/g/free/x"),
    (".. ...xx.. x.", "free/x"),
    (".. ...xx.. x.", "free"),
    (".. ....x.. ..", "elsewhere/x"),
    (".. ....x.. .x", "open/x"),
];

/// Who may subscribe to what; `s` is: alone, but not in a group.
const SUBSCRIBE: &[(&str, &str)] = &[
    //do DMSF#r* fa
    ("s. ....... ..", "v1/{device}/receipts"),
    ("s. ....... ..", "v1/{device}/certificate"),
    (".. ....... ..", "v1/{device}/certificate/request"),
    (".s ....... ..", "v1/{other}/certificate"),
    ("s. ....... ..", "v1/{device}/commands/+"),
    ("s. ....... ..", "v1/{device}/#"),
    (".. ....... ..", "v1/{device}/pings"),
    (".s ....... ..", "v1/{other}/receipts"),
    (".s ....... ..", "v1/{other}/#"),
    (".. ....... ..", "v1/{foreign device}/#"),
    (".. ....... ..", "v1/+/receipts"),
    (".. ....... ..", "v1/+/#"),
    (".. x.....x ..", "{own}/devices/+/status"),
    (".. x.....x ..", "{own}/devices/{device}/status"),
    (".. x.....x ..", "{own}/devices/#"),
    (".. .x....x ..", "{own}/venues/+/movements"),
    (".. .x....x ..", "{own}/venues/{venue}/movements"),
    (".. .....xx ..", "{own}/venues/+/occupancy"),
    (".. .....xx ..", "{own}/venues/{venue}/occupancy"),
    (".. ......x ..", "{own}/venues/#"),
    (".. ....... ..", "{own}/devices/{device}/orders"),
    (".. ....... x.", "{foreign}/venues/+/occupancy"),
    (".. x.....x ..", "{own}/+/+/status"),
    (".. ......x ..", "{own}/#"),
    (".. ....... x.", "{foreign}/devices/+/status"),
    (".. ....... x.", "{foreign}/venues/+/movements"),
    (".. ....... x.", "{foreign}/#"),
    (".. ....... ..", "v1/organizations/+/devices/+/status"),
    (".. ....... ..", "v1/organizations/#"),
    (".. ....... ..", "v1/#"),
    (".. ....x.. ..", "+/#"),
    (".. ....x.. ..", "#"),
    (".. ....x.. ..", "+/+/receipts"),
    (".. ...xx.. x.", "free/x"),
    (".. ...xx.. x.", "free/#"),
    (".. ...xx.. x.", "free/+"),
    (".. ....x.. ..", "elsewhere/x"),
    (".. ....x.. .x", "open/x"),
    (".. ....x.. .x", "open/#"),
    (".. ..x...x x.", "$SYS/#"),
    (".. ..x...x x.", "$SYS/broker/version"),
];

impl People {
    /// A topic of the tables with its names put in.
    fn topic(&self, shape: &str) -> String {
        let names = [
            ("{device}", self.shop.gateway.device.to_string()),
            ("{other}", self.other.device.to_string()),
            ("{foreign device}", self.foreign_device.to_string()),
            ("{command}", "01999999-0000-7000-8000-00000000000a".to_owned()),
            ("{venue}", self.shop.venue.to_string()),
            ("{own}", format!("v1/organizations/{}", self.own)),
            ("{foreign}", format!("v1/organizations/{}", self.foreign)),
        ];
        names.iter().fold(shape.to_owned(), |topic, (name, value)| topic.replace(name, value))
    }
}

/// The columns of a row.
fn columns(row: &str) -> impl Iterator<Item = char> {
    row.chars().filter(|letter| *letter != ' ')
}

#[tokio::test]
async fn everybody_publishes_where_they_may_and_nowhere_else() -> anyhow::Result<()> {
    let people = People::meet().await?;
    let everybody = everybody(&people).await?;
    for (row, shape) in PUBLISH {
        let topic = people.topic(shape);
        assert_eq!(columns(row).count(), everybody.len(), "{shape}");
        for (who, letter) in everybody.iter().zip(columns(row)) {
            let wrong = format!("{} to {shape}", who.name);
            tries_to_publish(&people, who, &topic, letter).await.context(wrong)?;
        }
    }
    Ok(())
}

/// Every way to publish has the same answer.
async fn tries_to_publish(people: &People, who: &Identity, topic: &str, letter: char) -> anyhow::Result<()> {
    let body = batch(0, [store::Clock::System.now()]).to_json();
    let message = || Publish::new(topic, &body);
    let may = letter != '.';
    let code = match letter {
        'x' => 0,
        'c' => 0x99,
        _ => 0x87,
    };
    let mut client = who.connect(people, 5, "publisher").await?;
    for qos in [1, 2] {
        let got = client.publish_all_of(message().qos(qos)).await?;
        ensure!(got == code, "QoS {qos}: {got:#04x}");
    }
    let got = client.publish_all_of(message().qos(1).retained()).await?;
    ensure!(got == code, "retained: {got:#04x}");
    // An alias stands for what was refused with it, too, and opens nothing.
    let alias = Property::TopicAlias(1);
    for message in [message().with(alias.clone()), Publish::new("", &body).with(alias)] {
        let got = client.publish_all_of(message.qos(1)).await?;
        ensure!(got == code, "by an alias: {got:#04x}");
    }
    client.begin(message()).await?;
    if may {
        client.ping().await.context("QoS 0")?;
    } else {
        ensure!(client.ended().await? == Some(0x87), "QoS 0");
    }
    for qos in [0, 1] {
        let mut old = who.connect(people, 4, "old publisher").await?;
        if may {
            old.publish_all_of(message().qos(qos)).await?;
            old.ping().await.with_context(|| format!("3.1.1, QoS {qos}"))?;
        } else {
            old.begin(message().qos(qos)).await?;
            ensure!(old.ended().await?.is_none(), "3.1.1, QoS {qos}");
        }
    }
    // A will is a message to a free topic: nobody leaves one on the platform's.
    for level in LEVELS {
        let hello = who.hello(level, "mortal").will(Will::new(topic, &body));
        let answered = Client::ask(&people.world, hello).await?.map_or_else(|connack| connack.code, |_| 0);
        let refusal = if level == 5 { 0x87 } else { 5 };
        let expected = if may && !topic.starts_with("v1/") { 0 } else { refusal };
        ensure!(answered == expected, "a will in version {level}: {answered:#04x}");
    }
    Ok(())
}

#[tokio::test]
async fn everybody_subscribes_where_they_may_and_nowhere_else() -> anyhow::Result<()> {
    let people = People::meet().await?;
    let everybody = everybody(&people).await?;
    for level in LEVELS {
        for (column, who) in everybody.iter().enumerate() {
            let mut client = who.connect(&people, level, "subscriber").await?;
            for (row, shape) in SUBSCRIBE {
                let letter =
                    columns(row).nth(column).with_context(|| format!("{shape} has too few columns"))?;
                let filter = people.topic(shape);
                // Strangers are not told why.
                let stranger = who.name == Identity::STRANGER.name;
                let no = if level == 5 && !stranger { 0x87 } else { 0x80 };
                for (filter, may) in
                    [(filter.clone(), letter != '.'), (format!("$share/g/{filter}"), letter == 'x')]
                {
                    let codes = client.subscribe(&[(&filter, 1)]).await?;
                    let expected = if may { 1 } else { no };
                    assert_eq!(codes, [expected], "{} to {filter} ({shape}) in version {level}", who.name);
                }
            }
        }
    }
    Ok(())
}

/// What comes to those who ask for everything: what is retained, and what is published then.
#[tokio::test]
async fn nobody_hears_what_the_table_does_not_open() -> anyhow::Result<()> {
    let people = People::meet().await?;
    let free = ["mqtt:publish:free/#"];
    let speakers = [
        (people.service("own", &free).await?, "free/x"),
        (people.foreigner("foreign", &free).await?, "free/x"),
        (Identity::STRANGER, "open/x"),
    ];
    let mut speaking = Vec::new();
    for (speaker, topic) in speakers {
        let mut client = speaker.connect(&people, 5, "speaker").await?;
        ensure!(client.publish(topic, format!("kept {}", speaker.name), 1, true).await? == 0);
        speaking.push((speaker, topic, client));
    }
    // Their status is retained in their organization.
    let _here = people.device().connect(&people, 5, "here").await?;
    let _there = people.foreign_device().connect(&people, 5, "there").await?;
    let everybody = everybody(&people).await?;
    let mut hearing = Vec::new();
    for who in &everybody {
        let mut client = who.connect(&people, 5, "listener").await?;
        for (_, shape) in SUBSCRIBE.iter().filter(|(_, shape)| !shape.starts_with("$SYS")) {
            client.subscribe(&[(&people.topic(shape), 0)]).await?;
            client.subscribe(&[(&format!("$share/g/{}", people.topic(shape)), 0)]).await?;
        }
        hearing.push((who, client));
    }
    for (speaker, topic, client) in &mut speaking {
        ensure!(client.publish(topic, format!("live {}", speaker.name), 1, false).await? == 0);
    }
    let status = |shape: &str| people.topic(&format!("{shape}/status"));
    let ours = [status("{own}/devices/{device}"), status("{own}/devices/{other}")];
    let theirs = [status("{foreign}/devices/{foreign device}")];
    let said = |by: &str| [format!("kept {by}"), format!("live {by}")];
    for (who, client) in &mut hearing {
        let expected: BTreeSet<String> = match who.name {
            "D devices:read" | "* everything" => ours.iter().cloned().collect(),
            "F free topics" | "# all free topics" => said("own").into(),
            "f foreign" => theirs.iter().cloned().chain(said("foreign")).collect(),
            "a stranger" => said("a stranger").into(),
            _ => BTreeSet::new(),
        };
        let mut heard = BTreeSet::new();
        while !heard.is_superset(&expected) {
            let delivery = client.delivery().await;
            let missing = || format!("{} heard {heard:?} and not {expected:?}", who.name);
            heard.insert(name_of(delivery.with_context(missing)?)?);
        }
        client.ping().await?;
        for delivery in client.taken() {
            heard.insert(name_of(delivery)?);
        }
        assert_eq!(heard, expected, "{}", who.name);
    }
    Ok(())
}

/// What tells a message from others: what the platform says has its topic, and what somebody says has its words.
fn name_of(delivery: Delivery) -> anyhow::Result<String> {
    if delivery.topic.starts_with("v1/") {
        return Ok(delivery.topic);
    }
    Ok(String::from_utf8(delivery.payload)?)
}

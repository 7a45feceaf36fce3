//! Reverse proxies that are believed when they say for whom they ask: otherwise everybody behind one would share its address,
//! and with it what wrong passwords cost.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The addresses of proxies: none unless the operator names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Whether nobody is believed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where a request comes from. Each proxy appends whom it heard it from to `X-Forwarded-For`, so the list is believed from
    /// its end, as long as it was a trusted proxy that wrote it; what is before that anybody could have written.
    pub(crate) fn origin(&self, peer: SocketAddr, headers: &HeaderMap) -> SocketAddr {
        let mut origin = peer;
        let lists = headers.get_all(FORWARDED_FOR).iter().rev();
        let said = lists.flat_map(|list| list.to_str().unwrap_or_default().rsplit(','));
        for said in said {
            let Some(address) = address(said.trim()).filter(|_| self.contains(origin.ip())) else { break };
            origin = SocketAddr::new(address, peer.port());
        }
        origin
    }

    fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// Some proxies add the port.
fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()))
}

/// A list of addresses and of networks such as `10.0.0.0/8`.
impl<'de> Deserialize<'de> for TrustedProxies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let networks = texts.iter().map(|text| {
            let alone = || text.parse::<IpAddr>().ok().map(IpNet::from);
            text.parse::<IpNet>().ok().or_else(alone).ok_or_else(|| {
                D::Error::custom(format!("`{text}` is no address and no network such as 10.0.0.0/8"))
            })
        });
        networks.collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted(list: &[&str]) -> TrustedProxies {
        serde_json::from_value(serde_json::json!(list)).unwrap()
    }

    fn origin(proxies: &TrustedProxies, peer: &str, said: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for list in said {
            headers.append(FORWARDED_FOR, list.parse().unwrap());
        }
        proxies.origin(SocketAddr::new(peer.parse().unwrap(), 1), &headers).ip().to_string()
    }

    #[test]
    fn nobody_is_believed_unless_named() {
        assert_eq!(origin(&TrustedProxies::default(), "127.0.0.1", &["192.0.2.1"]), "127.0.0.1");
        let proxies = trusted(&["10.0.0.0/8", "::1"]);
        assert_eq!(origin(&proxies, "192.0.2.9", &["192.0.2.1"]), "192.0.2.9");
        assert_eq!(origin(&proxies, "10.1.2.3", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(origin(&proxies, "::ffff:10.1.2.3", &["192.0.2.1:5000"]), "192.0.2.1");
        assert_eq!(origin(&proxies, "::1", &["[2001:db8::1]:5000"]), "2001:db8::1");
        assert_eq!(origin(&proxies, "::1", &[]), "::1", "the proxy asks for itself");
    }

    #[test]
    fn what_anybody_could_have_written_is_not_believed() {
        let proxies = trusted(&["10.0.0.0/8"]);
        let one = origin(&proxies, "10.0.0.1", &["198.51.100.7, 192.0.2.1"]);
        assert_eq!(one, "192.0.2.1", "the client wrote the first itself");
        let two = origin(&proxies, "10.0.0.1", &["198.51.100.7", "192.0.2.1, 10.0.0.2"]);
        assert_eq!(two, "192.0.2.1", "through two proxies, in two headers");
        assert_eq!(origin(&proxies, "10.0.0.1", &["192.0.2.1, nonsense"]), "10.0.0.1");
    }

    #[test]
    fn what_is_no_address_is_named() {
        let wrong = serde_json::from_value::<TrustedProxies>(serde_json::json!(["10.0.0.0/40"]));
        assert!(wrong.unwrap_err().to_string().contains("`10.0.0.0/40`"));
    }
}

//! Where an address is: its country, as precise as is useful to recognise oneself and no more.
//!
//! The data is `@ip-location-db/geo-whois-asn-country-mmdb` (CC0, from the registries' own lists), taken by
//! `themes/package-lock.json`: debug builds read it from there, release builds carry it. It is opened when the first
//! public address is looked up. Names of countries are those of tzdata's `iso3166.tab` (public domain).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use maxminddb::Reader;
use rust_embed::RustEmbed;
use std::{borrow::Cow, sync::LazyLock};

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../themes/node_modules/@ip-location-db/geo-whois-asn-country-mmdb"]
#[allow_missing = true]
#[include = "geo-whois-asn-country.mmdb"]
struct Data;

const COUNTRIES: &str = include_str!("countries.tsv");

type Bytes = Cow<'static, [u8]>;

static READER: LazyLock<Option<Reader<Bytes>>> = LazyLock::new(|| {
    let Some(file) = Data::get("geo-whois-asn-country.mmdb") else {
        tracing::warn!("there is no list of countries by address; places are unknown. Run `npm ci --prefix themes`");
        return None;
    };
    Reader::from_source(file.data)
        .inspect_err(|error| tracing::warn!(%error, "the list of countries by address cannot be read"))
        .ok()
});

/// Where an address is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the network that the server is in, or on the server itself.
    Local,
    /// In a country, by its ISO 3166-1 code.
    Country(String),
    /// Nobody knows.
    Unknown,
}

impl Place {
    /// Where an address is.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        let address = address.to_canonical();
        if is_local(address) {
            return Self::Local;
        }
        let found = READER.as_ref().and_then(|reader| reader.lookup(address).ok());
        let code = found.and_then(|found| found.decode_path::<String>(&maxminddb::path!["country_code"]).ok()?);
        code.filter(|code| country(code).is_some()).map_or(Self::Unknown, Self::Country)
    }

    /// What was stored of one: the address, and its country when it was looked up.
    #[must_use]
    pub fn stored(address: &str, country: Option<&str>) -> Self {
        match country {
            Some(code) => Self::Country(code.to_owned()),
            None if address.parse::<IpAddr>().is_ok_and(|ip| is_local(ip.to_canonical())) => Self::Local,
            None => Self::Unknown,
        }
    }

    /// The country's code, when it is one.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        match self {
            Self::Country(code) => Some(code.clone()),
            Self::Local | Self::Unknown => None,
        }
    }

    /// As a person reads it.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Local => "Local network".to_owned(),
            Self::Country(code) => country(code).unwrap_or(code).to_owned(),
            Self::Unknown => "Unknown place".to_owned(),
        }
    }
}

/// The name of a country by its code.
fn country(code: &str) -> Option<&'static str> {
    COUNTRIES.lines().filter_map(|line| line.split_once('\t')).find(|(known, _)| *known == code).map(|(_, name)| name)
}

/// Addresses that are not on the public internet.
const fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified() || is_shared(v4)
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unspecified() || is_private_v6(v6),
    }
}

/// RFC 6598: between a provider and its customers.
const fn is_shared(v4: Ipv4Addr) -> bool {
    let [a, b, ..] = v4.octets();
    a == 100 && b >= 64 && b < 128
}

const fn is_private_v6(v6: Ipv6Addr) -> bool {
    v6.is_unique_local() || v6.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_a_local_network() {
        for local in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.9",
            "172.16.0.1",
            "100.64.0.1",
            "169.254.1.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
            "0.0.0.0",
        ] {
            assert_eq!(Place::of(local.parse().unwrap()), Place::Local, "{local}");
            assert_eq!(Place::stored(local, None).words(), "Local network", "{local}");
        }
    }

    #[test]
    fn public_addresses_have_a_country() {
        assert!(READER.is_some(), "run `npm ci --prefix themes`: the list of countries comes with it");
        // Of the national registries themselves: cz.nic, denic, registro.br, jprs.
        for (address, name) in [
            ("217.31.205.50", "Czech Republic"),
            ("81.91.170.1", "Germany"),
            ("200.160.2.3", "Brazil"),
            ("203.119.1.1", "Japan"),
            ("2001:1488::1", "Czech Republic"),
        ] {
            assert_eq!(Place::of(address.parse().unwrap()).words(), name, "{address}");
        }
        for nowhere in ["192.0.2.1", "240.0.0.1", "ff02::1"] {
            assert_eq!(Place::of(nowhere.parse().unwrap()), Place::Unknown, "{nowhere}");
        }
    }

    #[test]
    fn what_is_stored_reads_the_same_later() {
        assert_eq!(Place::stored("203.0.113.9", Some("CZ")).words(), "Czech Republic");
        assert_eq!(Place::stored("203.0.113.9", Some("??")).words(), "??");
        assert_eq!(Place::stored("nonsense", None), Place::Unknown);
        assert_eq!(COUNTRIES.lines().filter(|line| line.split_once('\t').is_some()).count(), COUNTRIES.lines().count());
    }
}

//! What the agent reads in its own certificate.

use protocol::Timestamp;
use x509_parser::pem::parse_x509_pem;

/// From when until when a certificate is valid (RFC 5280, section 4.1.2.5), both moments included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first moment.
    pub not_before: Timestamp,
    /// The last.
    pub not_after: Timestamp,
}

/// A text that is no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no certificate as PEM")]
pub struct ValidityError;

impl Validity {
    /// Of the first certificate in this PEM, which is the device's own.
    pub fn of(pem: &str) -> Result<Self, ValidityError> {
        let (_, pem) = parse_x509_pem(pem.as_bytes()).map_err(|_| ValidityError)?;
        let certificate = pem.parse_x509().map_err(|_| ValidityError)?;
        let ms = |seconds: i64| Timestamp(seconds.saturating_mul(1_000));
        let validity = certificate.validity();
        Ok(Self {
            not_before: ms(validity.not_before.timestamp()),
            not_after: ms(validity.not_after.timestamp()),
        })
    }

    /// Whether it is valid at this time.
    pub fn includes(&self, now: Timestamp) -> bool {
        self.not_before <= now && now <= self.not_after
    }

    /// When this share of its life is over, 0..=1.
    pub fn after(&self, share: f64) -> Timestamp {
        let life = self.not_after.since(self.not_before).max(0) as f64;
        self.not_before.plus((life * share) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dates_are_those_of_the_certificate() {
        let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 11, 1);
        params.not_after = rcgen::date_time_ymd(2026, 12, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let validity = Validity::of(&pem).unwrap();
        let (first, last) = (Timestamp(1_793_491_200_000), Timestamp(1_796_083_200_000));
        assert_eq!(validity, Validity { not_before: first, not_after: last });
        assert!(validity.includes(first) && validity.includes(last));
        assert!(!validity.includes(first.minus(1)) && !validity.includes(last.plus(1)));
        assert_eq!(validity.after(2.0 / 3.0), first.plus(20 * 86_400_000));
        assert_eq!(Validity::of(&key.serialize_pem()), Err(ValidityError));
        assert_eq!(Validity::of(""), Err(ValidityError));
    }
}

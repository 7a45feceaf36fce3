//! One sign-in, to see whether it works.

use std::io;
use std::time::Duration;

use rumqttc::TlsError as ConnectionTlsError;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, Packet};
use rumqttc::v5::{AsyncClient, ConnectionError, Event};

use super::connection::options;
use super::tls::{TlsError, client_config};
use crate::config::LinkConfig;
use crate::identity::Identity;

/// How long the platform may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a device cannot sign in.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The own files.
    #[error(transparent)]
    Files(#[from] TlsError),
    /// Nobody listens there, or the way there does not work.
    #[error("it cannot be reached: {0}")]
    Unreachable(io::Error),
    /// TLS could not be agreed on.
    #[error("it is not believed to be the platform, or does not believe this device: {0}")]
    Tls(String),
    /// It knows the device and does not let it in, or does not know it.
    #[error("it does not let this device in: {0}")]
    Refused(&'static str),
    /// Something else listens there.
    #[error("what answers there does not speak MQTT 5: {0}")]
    Stranger(String),
    /// No answer.
    #[error("it does not answer")]
    Silent,
}

/// Signs in, under a client id of its own so that an agent at work is not thrown out, and says goodbye.
pub async fn try_sign_in(identity: &Identity, link: &LinkConfig) -> Result<(), TrialError> {
    let client_id = format!("{}-check", identity.device);
    let options = options(client_id, identity, link, client_config(link, identity.pair())?);
    let (client, mut eventloop) = AsyncClient::new(options, 1);
    let sign_in = async {
        loop {
            if let Event::Incoming(Packet::ConnAck(_)) = eventloop.poll().await.map_err(understand)? {
                return Ok(());
            }
        }
    };
    tokio::time::timeout(PATIENCE, sign_in).await.unwrap_or(Err(TrialError::Silent))?;
    if client.disconnect().await.is_ok() {
        let goodbye = async { while eventloop.poll().await.is_ok() {} };
        let _ = tokio::time::timeout(Duration::from_secs(1), goodbye).await;
    }
    Ok(())
}

fn understand(error: ConnectionError) -> TrialError {
    match error {
        ConnectionError::Io(error) | ConnectionError::Tls(ConnectionTlsError::Io(error)) => of_io(error),
        ConnectionError::Tls(error) => TrialError::Tls(error.to_string()),
        ConnectionError::Timeout(_) => TrialError::Silent,
        ConnectionError::ConnectionRefused(code) => TrialError::Refused(match code {
            ConnectReturnCode::BadUserNamePassword => "the id or the secret is wrong",
            ConnectReturnCode::NotAuthorized => "it is not authorized, or its certificate was revoked",
            ConnectReturnCode::Banned => "it is banned",
            ConnectReturnCode::ServerBusy
            | ConnectReturnCode::ServerUnavailable
            | ConnectReturnCode::ServiceUnavailable => "it is not able to now, try again later",
            ConnectReturnCode::ConnectionRateExceeded | ConnectReturnCode::QuotaExceeded => {
                "it tried too often, try again later"
            }
            _ => "it gives another reason",
        }),
        other => TrialError::Stranger(other.to_string()),
    }
}

/// Failures of TLS arrive as failures of the connection.
fn of_io(error: io::Error) -> TrialError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(tls) => TrialError::Tls(tls.to_string()),
        None if error.kind() == io::ErrorKind::UnexpectedEof => TrialError::Stranger(error.to_string()),
        None => TrialError::Unreachable(error),
    }
}

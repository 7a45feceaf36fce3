//! The patterns over TLS: the small broker behind something that does the handshakes.

use crate::broker::{Manners, start};
use crate::pattern::run;
use firmware_sim::load::LoadError;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use std::io;
use std::sync::Arc;
use tempfile::NamedTempFile;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Passes on to the broker what comes over TLS; answers its address and its certificate, which vouches for itself.
async fn secured(broker: String) -> (String, NamedTempFile) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], signing_key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (acceptor, broker) = (acceptor.clone(), broker.clone());
            tokio::spawn(async move {
                let mut outside = acceptor.accept(socket).await?;
                let mut inside = TcpStream::connect(&broker).await?;
                inside.set_nodelay(true)?;
                copy_bidirectional(&mut outside, &mut inside).await?;
                Ok::<_, io::Error>(())
            });
        }
    });
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), cert.pem()).unwrap();
    (address, file)
}

#[tokio::test]
async fn the_patterns_are_the_same_over_tls() {
    let (broker, taken) = start(Manners::default()).await;
    let (address, authority) = secured(broker).await;
    let run = async |words: &str| {
        let (result, held) = run(&address, &format!("{words} --tls {}", authority.path().display())).await?;
        Ok::<_, LoadError>((result.total, result.lost, held))
    };
    let (total, _, _held) = run("idle --connections 20").await.unwrap();
    assert_eq!((total, taken.lock().unwrap().sign_ins.len()), (20, 20));
    let (total, ..) = run("connects --workers 3 --seconds 0.1").await.unwrap();
    assert_eq!(taken.lock().unwrap().sign_ins.len() as u64, 20 + total);
    let (total, lost, _) = run("fan-in --publishers 3 --window 4 --seconds 0.1").await.unwrap();
    assert!(total > 0 && lost == 0, "{total} came, {lost} were lost");
    let error = run("steady --publishers 1 --rate 100").await.unwrap_err();
    assert!(matches!(&error, LoadError::Plan(why) if why.contains("TLS")), "{error}");
}

#[tokio::test]
async fn a_stranger_is_not_the_broker() {
    let (broker, taken) = start(Manners::default()).await;
    let (address, _) = secured(broker.clone()).await;
    let (_, somebody_else) = secured(broker).await;
    let words = format!("idle --connections 1 --tls {}", somebody_else.path().display());
    let error = run(&address, &words).await.unwrap_err();
    assert!(matches!(&error, LoadError::Io(why) if why.to_string().contains("certificate")), "{error}");
    assert_eq!(taken.lock().unwrap().sign_ins.len(), 0);
    let nothing = NamedTempFile::new().unwrap();
    let error = run(&address, &format!("connects --tls {}", nothing.path().display())).await.unwrap_err();
    assert!(matches!(&error, LoadError::Plan(why) if why.contains("no certificate")), "{error}");
}

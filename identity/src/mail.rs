//! Mail to people.

mod message;

use std::path::Path;
use std::sync::Arc;

use lettre::message::Mailbox;
use lettre::{AsyncFileTransport, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use protocol::AccountId;
use store::{Account, Link, LinkPurpose};

use crate::Identity;
use crate::attempts::Who;
use crate::config::MailConfig;
use crate::error::IdentityError;
use crate::words;

pub(crate) use message::{Mail, WaysIn};

const HOUR_MS: i64 = 3_600_000;

/// Sends mail. It is called behind the answers: how long it takes tells nobody whether some was sent.
pub(crate) struct Mailer {
    transport: Transport,
    from: Mailbox,
}

enum Transport {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Folder(AsyncFileTransport<Tokio1Executor>),
    /// Links are handed over by whoever may make them.
    None,
}

impl Mailer {
    pub(crate) fn new(config: &MailConfig) -> Result<Self, IdentityError> {
        let transport = match (&config.smtp, &config.folder) {
            (Some(url), _) => {
                let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(|_| {
                    IdentityError::Config("identity.mail.smtp: is no URL of a mail server".to_owned())
                })?;
                Transport::Smtp(builder.build())
            }
            (None, Some(folder)) => {
                make_folder(folder)?;
                Transport::Folder(AsyncFileTransport::new(folder))
            }
            (None, None) => Transport::None,
        };
        let from = config.from.parse();
        let from = from.map_err(|_| IdentityError::Config("identity.mail.from: is no address".to_owned()))?;
        Ok(Self { transport, from })
    }

    /// Whether mail can be sent at all.
    pub(crate) fn is_there(&self) -> bool {
        !matches!(self.transport, Transport::None)
    }

    async fn send(&self, to: &str, mail: &Mail) -> Result<(), IdentityError> {
        let failed = |error: &dyn std::fmt::Display| IdentityError::Mail(error.to_string());
        let message = mail.message(&self.from, to)?;
        match &self.transport {
            Transport::Smtp(transport) => {
                transport.send(message).await.map_err(|error| failed(&error))?;
            }
            Transport::Folder(transport) => {
                transport.send(message).await.map_err(|error| failed(&error))?;
            }
            Transport::None => {}
        }
        Ok(())
    }
}

fn make_folder(folder: &Path) -> Result<(), IdentityError> {
    let failed = |error: std::io::Error| IdentityError::Config(format!("identity.mail.folder: {error}"));
    std::fs::create_dir_all(folder).map_err(failed)
}

impl Identity {
    /// Sends a mail behind the answer.
    pub(crate) fn send(self: &Arc<Self>, to: &str, mail: Mail) {
        let (identity, to) = (Arc::clone(self), to.to_owned());
        self.behind(async move { identity.mailer.send(&to, &mail).await });
    }

    /// Whether a person has to show that mail reaches them before they may sign in. Where no mail can be sent, whoever made
    /// the account vouches for it.
    pub(crate) fn must_verify(&self, account: &Account) -> bool {
        self.mailer.is_there() && account.email_verified_at.is_none()
    }

    /// Tells a person what happened to the ways into their account: whoever came in at an open browser cannot hide it. Only
    /// where mail is known to reach them.
    pub(crate) fn tell(self: &Arc<Self>, account: &Account, change: WaysIn) {
        if account.email_verified_at.is_some() {
            self.send(&account.email, Mail::WaysIn(change));
        }
    }

    /// Sends the link that shows that mail reaches a person.
    pub(crate) async fn send_verification(self: &Arc<Self>, account: &Account) -> Result<(), IdentityError> {
        if !self.may_mail(&account.email) {
            return Ok(());
        }
        let warning = self.warning(account).await?;
        let url = self.link(LinkPurpose::VerifyEmail, account.id, &account.email, 24 * HOUR_MS).await?;
        self.send(&account.email, Mail::VerifyEmail { url, warning });
        Ok(())
    }

    /// Sends the link that gives an account another address, to that address.
    pub(crate) async fn send_change(
        self: &Arc<Self>,
        account: &Account,
        to: &str,
    ) -> Result<(), IdentityError> {
        if !self.may_mail(to) {
            return Ok(());
        }
        let warning = self.warning(account).await?;
        let url = self.link(LinkPurpose::ChangeEmail, account.id, to, HOUR_MS).await?;
        self.send(to, Mail::ChangeEmail { url, warning });
        Ok(())
    }

    /// What whoever shows that an address is theirs has to know of an account without a password: somebody else may have
    /// made it, and would get in after them too.
    pub(crate) async fn warning(&self, account: &Account) -> Result<Option<String>, IdentityError> {
        if account.password.is_some() {
            return Ok(None);
        }
        let linked = self.store.identities(account.id).await?;
        let names: Vec<_> = linked.iter().map(|link| self.providers.name_of(&link.issuer)).collect();
        Ok((!names.is_empty()).then(|| words::others_get_in(&names.join(", "))))
    }

    /// Sends the link that sets a new password, if anybody has the address. Even the looking happens behind the answer.
    pub(crate) fn send_reset(self: &Arc<Self>, email: &str) {
        let (identity, email) = (Arc::clone(self), email.to_owned());
        self.behind(async move {
            let account = identity.store.account_with_email(&email).await?;
            let Some(account) = account.filter(|account| account.disabled_at.is_none()) else {
                return Ok(());
            };
            if !identity.may_mail(&account.email) {
                return Ok(());
            }
            let url = identity.link(LinkPurpose::ResetPassword, account.id, &account.email, HOUR_MS).await?;
            identity.mailer.send(&account.email, &Mail::ResetPassword { url }).await
        });
    }

    /// Nobody's mailbox is filled by somebody else.
    pub(crate) fn may_mail(&self, to: &str) -> bool {
        self.attempts.may_try(Who::Mail(to.to_lowercase()), self.clock.now())
    }

    async fn link(
        &self,
        purpose: LinkPurpose,
        account: AccountId,
        email: &str,
        life_ms: i64,
    ) -> Result<String, IdentityError> {
        let now = self.clock.now();
        let link =
            Link { purpose, account: Some(account), email: email.to_owned(), expires_at: now.plus(life_ms) };
        let secret = self.store.create_link(&link, now).await?;
        let path = match purpose {
            LinkPurpose::VerifyEmail | LinkPurpose::ChangeEmail => "/verify",
            LinkPurpose::ResetPassword => "/reset/password",
            LinkPurpose::SetUp => "/set-up",
        };
        Ok(self.issuer.at(&format!("{path}?token={}", secret.text())))
    }
}

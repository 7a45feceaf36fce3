//! Forms and their fields.

use maud::{Markup, html};

/// A form of ours: it carries what shows that one of our pages made it.
pub(crate) fn form(csrf: &str, action: &str, inner: &Markup) -> Markup {
    html! {
        form method="post" action=(action) {
            input type="hidden" name="csrf" value=(csrf);
            (inner)
        }
    }
}

/// A labelled field.
pub(crate) struct Field<'a> {
    /// Its name in the form and in the page.
    pub(crate) name: &'a str,
    /// What people read.
    pub(crate) label: &'a str,
    /// The `type` of the input.
    pub(crate) kind: &'a str,
    /// What browsers and password managers fill in (HTML section 4.10.18.7).
    pub(crate) autocomplete: &'a str,
    /// What stands in it already.
    pub(crate) value: &'a str,
    /// A sentence below it.
    pub(crate) hint: Option<&'a str>,
}

impl Field<'_> {
    pub(crate) fn show(&self) -> Markup {
        self.show_as(self.name)
    }

    /// With an id of its own, where a page has several of the name.
    pub(crate) fn show_as(&self, id: &str) -> Markup {
        let hint_id = format!("{id}-hint");
        // A code of digits brings up the digits of a phone.
        let digits = (self.autocomplete == "one-time-code").then_some("numeric");
        html! {
            label for=(id) { (self.label) }
            input id=(id) name=(self.name) type=(self.kind) autocomplete=(self.autocomplete) inputmode=[digits]
                value=[(!self.value.is_empty()).then_some(self.value)] required
                aria-describedby=[self.hint.map(|_| hint_id.as_str())];
            @if let Some(hint) = self.hint {
                p.hint id=(hint_id) { (hint) }
            }
        }
    }
}

/// An address of mail.
pub(crate) fn email(value: &str) -> Field<'_> {
    Field {
        name: "email",
        label: crate::words::EMAIL,
        kind: "email",
        autocomplete: "username",
        value,
        hint: None,
    }
}

/// The password of an account that there is.
pub(crate) fn password() -> Field<'static> {
    Field {
        name: "password",
        label: crate::words::PASSWORD,
        kind: "password",
        autocomplete: "current-password",
        value: "",
        hint: None,
    }
}

/// A password to be chosen.
pub(crate) fn new_password() -> Field<'static> {
    Field {
        name: "new_password",
        label: crate::words::NEW_PASSWORD,
        kind: "password",
        autocomplete: "new-password",
        value: "",
        hint: Some(crate::words::PASSWORD_HINT),
    }
}

/// What to call the person.
pub(crate) fn person_name(value: &str) -> Field<'_> {
    Field { name: "name", label: crate::words::NAME, kind: "text", autocomplete: "name", value, hint: None }
}

/// What is wrong with the form, read out by screen readers as soon as it is there.
pub(crate) fn mistake(text: Option<&str>) -> Markup {
    html! {
        @if let Some(text) = text {
            p.wrong role="alert" { (text) }
        }
    }
}

//! The language that names are in, as each assistant spells it.

/// The `lang` of a name for Google: the languages that its Smart Home documents list for attributes; English where it
/// knows none.
pub(crate) fn google(locale: &str) -> &'static str {
    const KNOWN: &[&str] = &[
        "da", "de", "en", "es", "fr", "hi", "id", "it", "ja", "ko", "nl", "no", "pt-BR", "sv", "th", "zh-TW",
    ];
    let language = match language(locale) {
        "nb" | "nn" => "no",
        other => other,
    };
    KNOWN.iter().copied().find(|known| self::language(known) == language).unwrap_or("en")
}

/// The `locale` of a name for Alexa: one that its documents list, of the same region if there is one, else of the same
/// language; American English where it knows none.
pub(crate) fn alexa(locale: &str) -> &'static str {
    const KNOWN: &[&str] = &[
        "ar-SA", "de-DE", "en-US", "en-AU", "en-CA", "en-GB", "en-IN", "es-ES", "es-MX", "es-US", "fr-FR",
        "fr-CA", "hi-IN", "it-IT", "ja-JP", "nl-NL", "pt-BR",
    ];
    let tag = locale.replace('_', "-");
    let same = KNOWN.iter().copied().find(|known| known.eq_ignore_ascii_case(&tag));
    let of_language = || KNOWN.iter().copied().find(|known| language(known) == language(&tag));
    same.or_else(of_language).unwrap_or("en-US")
}

/// The language of a tag (BCP 47 section 2.1).
fn language(tag: &str) -> &str {
    tag.split(['-', '_']).next().unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_assistant_has_its_spelling() {
        for (locale, for_google, for_alexa) in [
            ("en", "en", "en-US"),
            ("en-GB", "en", "en-GB"),
            ("de-CH", "de", "de-DE"),
            ("nb-NO", "no", "en-US"),
            ("pt-PT", "pt-BR", "pt-BR"),
            ("rm", "en", "en-US"),
            ("", "en", "en-US"),
        ] {
            assert_eq!((google(locale), alexa(locale)), (for_google, for_alexa), "{locale}");
        }
    }
}

//! Who asks a server: a token, a user with a password, or headers of any name; from files, the
//! environment or the address. As header values that are marked as sensitive and an address without
//! a user, so that no message and no log can show them.
//!
//! Not here: whom the server is believed to be (`roots`).

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use reqwest::Url;
use ureq::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::client::quoted;

/// A token on its own, where no option names one.
pub(super) const TOKEN_VARIABLE: &str = "PLIMSOLL_PROMETHEUS_BEARER_TOKEN";
/// `USER:PASSWORD`, where no option names one.
pub(super) const BASIC_VARIABLE: &str = "PLIMSOLL_PROMETHEUS_BASIC_AUTH";

/// Largest file that is read as a secret: the longest tokens in use are a few KiB.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Why it cannot be said who asks.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialError {
    #[error("`{0}` is not a header; write it as `Name: value`")]
    BadHeader(String),
    #[error("cannot read the secret in `{}`; check that it exists and may be read", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the token in {0} is empty, too long or holds control characters")]
    BadToken(String),
    #[error("the secret in {0} is not a user and a password; write it as `user:password`")]
    BadBasic(String),
    #[error("it is said twice who asks, by {0} and by {1}; keep one of them")]
    Twice(&'static str, &'static str),
}

/// All places that may say who asks.
pub(super) struct Credentials<'a> {
    pub(super) headers: &'a [String],
    pub(super) bearer_token_file: Option<&'a Path>,
    pub(super) basic_auth_file: Option<&'a Path>,
    /// What [`TOKEN_VARIABLE`] and [`BASIC_VARIABLE`] hold. They count where nothing else says it:
    /// a shell that has them set can still be told otherwise.
    pub(super) environment: (Option<String>, Option<String>),
}

impl Credentials<'_> {
    /// The headers to send with every question. Takes the user out of the address.
    pub(super) fn headers(self, url: &mut Url) -> Result<HeaderMap, CredentialError> {
        let mut all = HeaderMap::new();
        for text in self.headers {
            let (name, value) = header(text).ok_or_else(|| {
                // The value may be a secret.
                CredentialError::BadHeader(quoted(text.split(':').next().unwrap_or_default()))
            })?;
            all.append(name, value);
        }
        let mut ways: Vec<(&'static str, Option<HeaderValue>)> = Vec::new();
        if all.contains_key(AUTHORIZATION) {
            ways.push(("--header", None));
        }
        if let Some(value) = user_of(url) {
            ways.push(("the address", Some(value)));
        }
        if let Some(path) = self.bearer_token_file {
            ways.push(("--bearer-token-file", Some(bearer(&read(path)?, &named(path))?)));
        }
        if let Some(path) = self.basic_auth_file {
            ways.push(("--basic-auth-file", Some(basic(&read(path)?, &named(path))?)));
        }
        if ways.is_empty() {
            let (token, user) = self.environment;
            if let Some(text) = token {
                ways.push((TOKEN_VARIABLE, Some(bearer(&text, TOKEN_VARIABLE)?)));
            }
            if let Some(text) = user {
                ways.push((BASIC_VARIABLE, Some(basic(&text, BASIC_VARIABLE)?)));
            }
        }
        if let [(one, _), (other, _), ..] = ways[..] {
            return Err(CredentialError::Twice(one, other));
        }
        if let Some((_, Some(value))) = ways.pop() {
            all.insert(AUTHORIZATION, value);
        }
        Ok(all)
    }
}

fn named(path: &Path) -> String {
    format!("`{}`", path.display())
}

fn read(path: &Path) -> Result<String, CredentialError> {
    let unreadable = |source| CredentialError::File { path: path.to_owned(), source };
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(SECRET_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

fn header(text: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = text.split_once(':')?;
    Some((name.trim().parse().ok()?, sensitive(value.trim())?))
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn bearer(text: &str, place: &str) -> Result<HeaderValue, CredentialError> {
    let token = text.trim();
    let fits = !token.is_empty() && (text.len() as u64) < SECRET_BYTES_MAX;
    let value = fits.then(|| sensitive(&format!("Bearer {token}"))).flatten();
    value.ok_or_else(|| CredentialError::BadToken(place.to_owned()))
}

/// A password may begin or end with a space, and no line end belongs to it.
fn basic(text: &str, place: &str) -> Result<HeaderValue, CredentialError> {
    let bad = || CredentialError::BadBasic(place.to_owned());
    let line = text.trim_end_matches(['\r', '\n']);
    let whole = !line.contains(['\r', '\n']) && (text.len() as u64) < SECRET_BYTES_MAX;
    let (user, password) = line.split_once(':').filter(|_| whole).ok_or_else(bad)?;
    pair(user.as_bytes(), password.as_bytes()).ok_or_else(bad)
}

fn pair(user: &[u8], password: &[u8]) -> Option<HeaderValue> {
    sensitive(&format!("Basic {}", BASE64_STANDARD.encode([user, b":", password].concat())))
}

/// The user of an address, which stands there no longer afterwards.
fn user_of(url: &mut Url) -> Option<HeaderValue> {
    let named = !url.username().is_empty() || url.password().is_some();
    let decoded = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
    let (user, password) = (decoded(url.username()), decoded(url.password().unwrap_or_default()));
    // An address with a host can lose its user; the schemes were checked before.
    let cleared = url.set_username("").and_then(|()| url.set_password(None));
    if named && cleared.is_ok() { pair(&user, &password) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Given<'a> {
        url: &'a str,
        headers: &'a [&'a str],
        environment: (Option<&'a str>, Option<&'a str>),
    }

    const NOTHING: Given<'_> = Given { url: "http://h/", headers: &[], environment: (None, None) };

    fn said(given: &Given<'_>) -> Result<Option<String>, String> {
        let headers: Vec<_> = given.headers.iter().map(ToString::to_string).collect();
        let (token, user) = given.environment;
        let credentials = Credentials {
            headers: &headers,
            bearer_token_file: None,
            basic_auth_file: None,
            environment: (token.map(Into::into), user.map(Into::into)),
        };
        let mut url = Url::parse(given.url).unwrap();
        let all = credentials.headers(&mut url).map_err(|error| error.to_string())?;
        assert_eq!(url.as_str(), "http://h/", "no secret stays in the address");
        let value = all.get(AUTHORIZATION);
        assert!(value.is_none_or(HeaderValue::is_sensitive));
        Ok(value.map(|value| value.to_str().unwrap().to_owned()))
    }

    fn check(given: &Given<'_>, want: Option<&str>) {
        assert_eq!(said(given), Ok(want.map(ToOwned::to_owned)), "{}", given.url);
    }

    #[test]
    fn a_user_is_read_as_it_was_meant_wherever_it_stands() {
        check(&NOTHING, None);
        // RFC 7617's own example, and a password with a colon, an at sign and a percent sign.
        let want = Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        check(&Given { url: "http://Aladdin:open%20sesame@h", ..NOTHING }, want);
        let environment = (None, Some("Aladdin:open sesame\n"));
        check(&Given { environment, ..NOTHING }, want);
        let odd = Some("Basic YTpiOmNAZCU=");
        check(&Given { url: "http://a:b%3Ac%40d%25@h", ..NOTHING }, odd);
        check(&Given { environment: (None, Some("a:b:c@d%")), ..NOTHING }, odd);
        let environment = (Some(" s3cret\n"), None);
        check(&Given { environment, ..NOTHING }, Some("Bearer s3cret"));
    }

    #[test]
    fn what_is_said_at_the_call_goes_before_the_environment() {
        let environment = (Some("other"), Some("o:ther"));
        let headers = &["Authorization: Mine s3cret"][..];
        check(&Given { headers, environment, ..NOTHING }, Some("Mine s3cret"));
        let url = "http://a:b@h";
        check(&Given { url, environment, ..NOTHING }, Some("Basic YTpi"));
    }

    #[test]
    fn a_secret_that_is_none_or_is_there_twice_is_refused_and_not_repeated() {
        let check = |given: Given<'_>, names: &str| {
            let error = said(&given).unwrap_err();
            assert!(error.contains(names) && !error.contains("s3cret"), "{error}");
        };
        check(Given { environment: (Some("s3cret"), Some("a:s3cret")), ..NOTHING }, BASIC_VARIABLE);
        check(Given { environment: (None, Some("s3cret")), ..NOTHING }, "user:password");
        check(Given { environment: (None, Some("a:s3cret\nb:s3cret")), ..NOTHING }, BASIC_VARIABLE);
        check(Given { environment: (Some("s3cret\u{7}"), None), ..NOTHING }, TOKEN_VARIABLE);
        check(Given { environment: (Some(" "), None), ..NOTHING }, TOKEN_VARIABLE);
        let headers = &["Authorization: s3cret"][..];
        check(Given { url: "http://a:s3cret@h", headers, ..NOTHING }, "--header");
    }
}

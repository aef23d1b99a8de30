//! Addresses as people write them.

/// Check that `text` is `HOST:PORT`: a name, an IPv4 address or an IPv6 address in brackets, and a port from 1 to 65535.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let wrong = |problem: &str| {
        Err(format!(
            "`{text}` is no address: {problem}; HOST:PORT is needed, such as 192.0.2.7:7700, party0.example.org:7700 or \
             [2001:db8::7]:7700"
        ))
    };
    if text.trim().is_empty() {
        return wrong("it is empty");
    }
    if text.contains("://") {
        return wrong("it begins like a web address");
    }
    if text.chars().any(|c| c.is_whitespace() || c == '/') {
        return wrong("it has spaces or slashes");
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return wrong("it has no port");
    };
    let bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    match bracketed {
        Some(v6) if v6.parse::<std::net::Ipv6Addr>().is_ok() => {}
        Some(_) => return wrong("there is no IPv6 address in the brackets"),
        None if host.is_empty() => return wrong("it has no host"),
        None if host.contains(':') => {
            return wrong("an IPv6 address stands in brackets, and a port behind them");
        }
        None => {}
    }
    let digits = !port.is_empty() && port.chars().all(|c| c.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(1..) if digits => Ok(()),
        _ if port.is_empty() => wrong("it has no port"),
        _ => wrong("the port is not a number from 1 to 65535"),
    }
}

/// Check the addresses of three parties: each by itself, and that no two are the same.
///
/// # Errors
/// As for [`check`], naming the party.
pub(crate) fn check_all(addresses: &[String; 3]) -> Result<(), String> {
    for (role, address) in addresses.iter().enumerate() {
        check(address).map_err(|reason| format!("party {role}: {reason}"))?;
        if let Some(other) = addresses[..role].iter().position(|other| other == address) {
            return Err(format!(
                "parties {other} and {role} have the same address {address}: each needs one of its own"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_nobody_can_be_reached_at_are_refused() {
        for right in [
            "127.0.0.1:7700",
            "party0.example.org:1",
            "localhost:65535",
            "[::1]:7700",
            "0.0.0.0:7700",
        ] {
            assert_eq!(check(right), Ok(()), "{right}");
        }
        for (wrong, told) in [
            ("", "empty"),
            ("  ", "empty"),
            ("127.0.0.1", "no port"),
            ("127.0.0.1:", "no port"),
            (":7700", "no host"),
            ("127.0.0.1:99999", "1 to 65535"),
            ("127.0.0.1:0", "1 to 65535"),
            ("127.0.0.1:+77", "1 to 65535"),
            ("127.0.0.1:http", "1 to 65535"),
            ("http://127.0.0.1:7700", "web address"),
            ("::1:7700", "brackets"),
            ("[nonsense]:7700", "IPv6"),
            ("a b:7700", "spaces"),
            ("host/path:7700", "slashes"),
        ] {
            let error = check(wrong).unwrap_err();
            assert!(
                error.contains(told) && error.contains("HOST:PORT"),
                "{error}"
            );
        }
        let same = ["a:1", "b:1", "a:1"].map(str::to_owned);
        let error = check_all(&same).unwrap_err();
        assert!(error.contains("parties 0 and 2"), "{error}");
    }
}

//! SANs in canonical form, by tables and properties (SL-1 to SL-3, MD-5).

use proptest::prelude::*;

use super::*;

/// MD-5: every spelling of a name has the same canonical form.
#[test]
fn md5_dns_names_have_one_form() {
    let longest_label = "a".repeat(63);
    for (text, expected) in [
        ("example.com", "example.com"),
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("*.Example.com", "*.example.com"),
        ("*.example.com.", "*.example.com"),
        ("localhost", "localhost"),
        ("*.internal", "*.internal"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        // Non-transitional: ß is a separate letter.
        ("straße.de", "xn--strae-oqa.de"),
        ("strasse.de", "strasse.de"),
        // An ideographic full stop separates labels like a dot.
        ("例え。jp", "xn--r8jz45g.jp"),
        ("1.2.3.4.example", "1.2.3.4.example"),
        (&longest_label, &longest_label),
    ] {
        assert_eq!(San::dns(text).unwrap().value(), expected, "{text}");
    }
}

#[test]
fn dns_names_asked_for_must_be_well_formed() {
    let long_label = "a".repeat(64);
    let long_name = format!("{0}.{0}.{0}.{0}", "a".repeat(63));
    for (text, expected) in [
        ("", SanError::Empty),
        ("*", SanError::MisplacedWildcard),
        ("*.", SanError::MisplacedWildcard),
        ("*.*.example.com", SanError::MisplacedWildcard),
        ("www*.example.com", SanError::MisplacedWildcard),
        ("www.*.com", SanError::MisplacedWildcard),
        ("192.0.2.1", SanError::IpLiteral),
        ("192.0.2.1.", SanError::IpLiteral),
        ("*.192.0.2.1", SanError::IpLiteral),
        ("１９２.0.2.1", SanError::IpLiteral),
        ("2001:db8::1", SanError::IpLiteral),
        (".", SanError::NotADnsName),
        (".com", SanError::NotADnsName),
        ("example.com..", SanError::NotADnsName),
        ("a..b", SanError::NotADnsName),
        ("a_b.example.com", SanError::NotADnsName),
        ("-a.example.com", SanError::NotADnsName),
        ("a-.example.com", SanError::NotADnsName),
        ("ab--c.example.com", SanError::ReservedHyphens),
        ("xn--zzzzzzz999.com", SanError::NotADnsName),
        ("exa mple.com", SanError::NotADnsName),
        (" example.com", SanError::NotADnsName),
        ("example.com\n", SanError::NotADnsName),
        ("exa\0mple.com", SanError::NotADnsName),
        ("https://example.com", SanError::NotADnsName),
        (&long_label, SanError::NotADnsName),
        (&long_name, SanError::NotADnsName),
    ] {
        assert_eq!(San::dns(text), Err(expected), "{text:?}");
    }
    assert_eq!(
        San::dns("192.0.2.1").unwrap_err().to_string(),
        "is an IP address: use the type iPAddress, not dNSName"
    );
}

/// The 253 octets include the wildcard label.
#[test]
fn longest_dns_name() {
    let name = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "a".repeat(61));
    assert_eq!(name.len(), LONGEST_NAME);
    assert_eq!(San::dns(&name).unwrap().value(), name);
    assert_eq!(San::dns(&format!("{name}.")).unwrap().value(), name);
    assert_eq!(San::dns(&format!("*.{name}")), Err(SanError::NotADnsName));
    assert!(San::dns(&format!("*.{}", &name[2..])).is_ok());
}

#[test]
fn addresses_have_one_form() {
    for (text, expected) in [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("2001:db8:0:1:0:0:0:1", "2001:db8:0:1::1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("::", "::"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
        ("::FFFF:C000:201", "::ffff:192.0.2.1"),
    ] {
        assert_eq!(San::ip(text).unwrap().value(), expected, "{text}");
    }
    for text in [
        "1.2.3",
        "01.2.3.4",
        "256.1.1.1",
        "[::1]",
        "fe80::1%eth0",
        "1.2.3.4/8",
        "::1::",
    ] {
        assert_eq!(San::ip(text), Err(SanError::NotAnIpAddress), "{text}");
    }
    assert_eq!(San::ip(""), Err(SanError::Empty));
}

/// Four octets and sixteen are two SANs, even if the sixteen embed the four.
#[test]
fn ipv4_and_its_mapped_form_are_two_sans() {
    let four = San::ip_octets(&[192, 0, 2, 1]).unwrap();
    let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1];
    let sixteen = San::ip_octets(&mapped).unwrap();
    assert_eq!(four, San::ip("192.0.2.1").unwrap());
    assert_eq!(sixteen, San::ip("::ffff:192.0.2.1").unwrap());
    assert_ne!(four, sixteen);
    assert_eq!(San::ip_octets(&[]), None);
    assert_eq!(San::ip_octets(&[1, 2, 3, 4, 255, 255, 255, 0]), None);
}

/// SL-2: entirely lower case, including the part before the `@`.
#[test]
fn mailboxes_have_one_form() {
    for (text, expected) in [
        ("Jo.Doe@Example.COM", "jo.doe@example.com"),
        ("jo+tag@example.com", "jo+tag@example.com"),
        ("jo@BÜCHER.example", "jo@xn--bcher-kva.example"),
        ("root@localhost", "root@localhost"),
        ("\"J D\"@example.com", "\"j d\"@example.com"),
    ] {
        assert_eq!(San::email(text).unwrap().value(), expected, "{text}");
    }
    for text in [
        "jo",
        "@example.com",
        "jo@",
        "jo@@example.com",
        "jo doe@example.com",
        ".jo@example.com",
        "jo@exa_mple.com",
        "jo@[192.0.2.1]",
        "jo@192.0.2.1",
        "Jo <jo@example.com>",
        "jö@example.com",
        "jo\0@example.com",
    ] {
        let error = San::email(text).unwrap_err();
        assert!(matches!(error, SanError::NotAMailbox(_)), "{text}: {error}");
    }
    assert_eq!(San::email(""), Err(SanError::Empty));
    assert_eq!(
        San::email("jo@exa_mple.com").unwrap_err().to_string(),
        format!(
            "is not an email address: its domain {}",
            SanError::NotADnsName
        )
    );
}

#[test]
fn principal_names_have_one_form() {
    assert_eq!(
        San::upn("JÖ@Corp.Example").unwrap().value(),
        "jö@corp.example"
    );
    assert_eq!(San::upn("jo_doe@CORP").unwrap().value(), "jo_doe@corp");
    assert_eq!(San::upn(""), Err(SanError::Empty));
    for text in ["jo", "@corp", "jo@", "jo@a@b", "@", "jo\n@corp"] {
        assert_eq!(San::upn(text), Err(SanError::NotAUpn), "{text}");
    }
}

/// SL-2: the same text with two types is two SANs.
#[test]
fn sl2_the_type_tells_sans_apart() {
    let text = "jo@example.com";
    let (mailbox, principal) = (San::email(text).unwrap(), San::upn(text).unwrap());
    assert_eq!(mailbox.value(), principal.value());
    assert_ne!(mailbox, principal);
}

/// SL-3: a wildcard weighs the multiplier, and differs from the name without it.
#[test]
fn sl3_weights() {
    let (wildcard, plain) = (
        San::dns("*.example.com").unwrap(),
        San::dns("example.com").unwrap(),
    );
    assert_ne!(wildcard, plain);
    assert!(wildcard.is_wildcard() && !plain.is_wildcard());
    assert_eq!((wildcard.weight(5), plain.weight(5)), (5, 1));
    assert_eq!(San::recorded(SanType::DnsName, "*.a_b.com").weight(5), 5);
    assert_eq!(
        San::recorded(SanType::DnsName, "w*.example.com").weight(5),
        1
    );
    assert_eq!(
        San::recorded(SanType::Rfc822Name, "*.example.com").weight(5),
        1
    );
}

/// SL-1: names on a certificate are never refused or dropped, only lower-cased.
#[test]
fn sl1_recorded_names_are_never_dropped() {
    for (kind, text, expected) in [
        (SanType::DnsName, "A_B.Example.com", "a_b.example.com"),
        (SanType::DnsName, "Example.COM.", "example.com"),
        (SanType::DnsName, "192.0.2.1", "192.0.2.1"),
        (SanType::DnsName, "", ""),
        (
            SanType::DnsName,
            "Bank.example\0.evil.example",
            "bank.example\\u{0}.evil.example",
        ),
        (SanType::IpAddress, "0A0B", "0a0b"),
        (SanType::Rfc822Name, "Nobody", "nobody"),
        (SanType::Upn, "JO", "jo"),
    ] {
        let san = San::recorded(kind, text);
        assert_eq!((san.kind(), san.value()), (kind, expected));
        assert_eq!(san.to_string(), expected);
    }
}

#[test]
fn stored_form() {
    let san = San::dns("*.example.com").unwrap();
    let json = serde_json::to_string(&san).unwrap();
    assert_eq!(json, r#"{"type":"dNSName","value":"*.example.com"}"#);
    assert_eq!(serde_json::from_str::<San>(&json).unwrap(), san);
    for &kind in SanType::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
    }
    assert!("uRI".parse::<SanType>().is_err());
}

fn kinds() -> impl Strategy<Value = SanType> {
    prop::sample::select(SanType::ALL)
}

/// Text near the edges: names, addresses, email addresses, unusual case, and arbitrary text.
fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "(\\*\\.)?[a-zA-Z0-9ßÄΣςİı-]{1,12}(\\.[a-zA-Z]{2,6}){0,2}\\.?",
        "[a-zA-Z0-9.+_\"ΣİK-]{1,12}@[a-zA-Z0-9ßÄΣ.-]{1,12}",
        any::<[u8; 16]>().prop_map(|octets| Ipv6Addr::from(octets).to_string()),
        any::<[u8; 4]>().prop_map(|octets| Ipv4Addr::from(octets).to_string().to_uppercase()),
    ]
}

proptest! {
    /// Canonicalising twice changes nothing, for requested and for recorded names; and a well-formed
    /// recorded name equals the requested one.
    #[test]
    fn canonical_forms_are_stable(kind in kinds(), text in names()) {
        if let Ok(asked) = San::requested(kind, &text) {
            prop_assert_eq!(San::requested(kind, asked.value()), Ok(asked.clone()));
            prop_assert_eq!(San::recorded(kind, &text), asked);
        }
        let recorded = San::recorded(kind, &text);
        prop_assert_eq!(&San::recorded(kind, recorded.value()), &recorded);
        prop_assert!(!recorded.value().chars().any(char::is_control));
        let json = serde_json::to_string(&recorded).unwrap();
        prop_assert_eq!(serde_json::from_str::<San>(&json).unwrap(), recorded);
    }

    /// SL-2: case never makes two SANs.
    #[test]
    fn sl2_case_never_makes_two(kind in kinds(), text in "[a-zA-Z0-9@._*-]{1,20}") {
        let san = San::recorded(kind, &text);
        prop_assert_eq!(San::recorded(kind, &text.to_uppercase()), san.clone());
        prop_assert_eq!(San::recorded(kind, &text.to_lowercase()), san);
    }

    /// Octets and text yield the same SAN.
    #[test]
    fn addresses_survive_their_octets(octets in any::<[u8; 16]>()) {
        let san = San::ip_octets(&octets).unwrap();
        prop_assert_eq!(San::ip(san.value()), Ok(san));
        let san = San::ip_octets(&octets[..4]).unwrap();
        prop_assert_eq!(San::ip(san.value()), Ok(san));
    }
}

/// UTS 46 maps the dots of other scripts to a full stop, wherever they are.
#[test]
fn md5_every_dot_of_uts_46_is_a_dot() {
    for dot in ['\u{3002}', '\u{ff0e}', '\u{ff61}'] {
        for (text, expected) in [
            (format!("例え.jp{dot}"), "xn--r8jz45g.jp"),
            (format!("a{dot}example{dot}"), "a.example"),
            (format!("*{dot}a.example"), "*.a.example"),
        ] {
            assert_eq!(San::dns(&text).unwrap().value(), expected, "{text}");
        }
        let odd = format!("A_b{dot}example{dot}");
        let recorded = San::recorded(SanType::DnsName, &odd);
        assert_eq!(recorded.value(), "a_b.example");
    }
}

/// SL-1, SL-2: one trailing dot does not make another name, well formed or not.
#[test]
fn sl1_a_trailing_dot_makes_no_second_name() {
    for text in ["a_b.example", "-a.example", "a..b"] {
        let without = San::recorded(SanType::DnsName, text);
        let with = San::recorded(SanType::DnsName, &format!("{text}."));
        assert_eq!(with, without);
        assert_eq!(without.value(), text);
    }
}

/// SL-2: UPNs are compared in NFC, so a precomposed letter equals the letter with a combining accent.
#[test]
fn sl2_a_upn_is_one_in_nfc_and_nfd() {
    let composed = San::upn("Jos\u{e9}@corp").unwrap();
    assert_eq!(San::upn("JOSE\u{301}@corp").unwrap(), composed);
    assert_eq!(composed.value(), "jos\u{e9}@corp");
    let malformed = |text| San::recorded(SanType::Upn, text);
    assert_eq!(malformed("E\u{301}@@"), malformed("\u{e9}@@"));
}

/// RFC 5890, 2.3.1: the message names the reserved hyphens, not invalid characters.
#[test]
fn hyphens_in_the_third_and_fourth_place_are_named() {
    for text in ["r3---sn-abc.example", "a.ab--c.example", "*.zz--.example"] {
        let said = San::dns(text).unwrap_err().to_string();
        assert!(said.contains("third and fourth"), "{text}: {said}");
        assert!(said.contains("RFC 5890"), "{text}: {said}");
    }
    let said = San::dns("a_b.example").unwrap_err().to_string();
    assert!(!said.contains("RFC 5890"), "{said}");
}

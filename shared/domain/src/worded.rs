//! Enums whose variants are stored as words. A word that was ever stored never changes its meaning.

/// Declares an enum with a word for each variant: `as_str`, `FromStr`, and serde as the word.
#[macro_export]
macro_rules! worded {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// The word used in the store and in explanations.
            $vis fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(word: &str) -> Result<Self, String> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    other => Err(format!(
                        concat!("`{}` is not a value of ", stringify!($name)), other
                    )),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let word = <String as serde::Deserialize>::deserialize(from)?;
                word.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    worded! {
        /// A light.
        enum Light {
            /// Go.
            Green = "GREEN",
            /// Stop.
            Red = "RED",
        }
    }

    #[test]
    fn a_word_reads_back_and_no_other_does() {
        for light in [Light::Green, Light::Red] {
            assert_eq!(light.as_str().parse(), Ok(light));
            let json = serde_json::to_string(&light).unwrap();
            assert_eq!(serde_json::from_str::<Light>(&json).unwrap(), light);
        }
        assert!("green".parse::<Light>().is_err());
    }
}

//! Values that documents hold as their text.

/// Implements `Serialize` by `Display` and `Deserialize` by `FromStr`; an error of the latter quotes the text.
macro_rules! by_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(|e| serde::de::Error::custom(format_args!("{text:?}: {e}")))
            }
        }
    };
}

pub(crate) use by_text;

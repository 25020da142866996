//! One declaration of a section gives its type, its defaults and its manual.

/// One key as `default-config` prints it.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub doc: &'static [&'static str],
    /// A value to show for a key that is empty by default, in TOML.
    pub example: Option<&'static str>,
}

/// Declares a struct whose doc comments are kept for [`super::template`]. After a default, `=>`
/// gives the example to print where the default is nothing.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        pub struct $Name:ident {
            $(
                $(#[doc = $doc:literal])*
                pub $field:ident: $Type:ty = $default:expr $(=> $example:literal)?,
            )*
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $Name {
            $(
                $(#[doc = $doc])*
                pub $field: $Type,
            )*
        }

        impl Default for $Name {
            fn default() -> Self {
                Self { $($field: $default),* }
            }
        }

        impl $Name {
            pub(super) const ABOUT: &'static [&'static str] = &[$($about),+];
            pub(super) const KEYS: &'static [Key] = &[
                $(Key {
                    name: stringify!($field),
                    doc: &[$($doc),*],
                    example: section!(@example $($example)?),
                }),*
            ];
        }
    };
    (@example) => { None };
    (@example $example:literal) => { Some($example) };
}

pub(super) use section;

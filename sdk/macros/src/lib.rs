//! The derive of `marque-plugin`'s typed settings. Authors meet it as `marque_plugin::Settings`; what it understands is
//! said there.
//!
//! Owns: reading the author's struct, the text of the JSON Schema, and the code that reads and checks settings. A mistake
//! is reported at the line that it stands on.
//!
//! Refuses to know: what a setting's type is. The traits of `marque_plugin::settings` say that, so that a wrong type is
//! a mistake that the compiler finds.

mod choice;
mod expand;
mod field;
mod number;
mod schema;

use proc_macro::TokenStream;
use syn::{Data, DeriveInput, parse_macro_input};

/// See `marque_plugin::Settings`.
#[proc_macro_derive(Settings, attributes(setting))]
pub fn settings(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let expanded = match &input.data {
        Data::Struct(data) => expand::settings(&input, data),
        Data::Enum(data) => choice::choice(&input, data),
        Data::Union(data) => Err(syn::Error::new(
            data.union_token.span,
            "settings are a struct with named fields, or an enum of choices",
        )),
    };
    expanded.unwrap_or_else(syn::Error::into_compile_error).into()
}

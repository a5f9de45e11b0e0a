//! An enum of choices: unit variants, named in small letters with underscores.

use crate::schema::quoted;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{DataEnum, DeriveInput, Fields, ext::IdentExt, spanned::Spanned};

pub fn choice(input: &DeriveInput, data: &DataEnum) -> syn::Result<TokenStream> {
    if !input.generics.params.is_empty() {
        return Err(syn::Error::new(input.generics.span(), "an enum of choices has no parameters"));
    }
    if data.variants.is_empty() {
        return Err(syn::Error::new(input.ident.span(), "an enum of choices has at least one"));
    }
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(syn::Error::new(variant.fields.span(), "a choice carries nothing"));
        }
        if let Some((_, value)) = &variant.discriminant {
            return Err(syn::Error::new(value.span(), "a choice is its name and has no number"));
        }
    }
    let ident = &input.ident;
    let variants: Vec<_> = data.variants.iter().map(|v| &v.ident).collect();
    let names: Vec<String> = variants.iter().map(|v| snake_case(&v.unraw().to_string())).collect();
    let listed: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    let json = format!(r#""type":"string","enum":[{}]"#, listed.join(","));
    Ok(quote! {
        #[automatically_derived]
        impl ::marque_plugin::settings::SettingValue for #ident {
            const JSON: &'static str = #json;
        }
        #[automatically_derived]
        impl ::marque_plugin::settings::SettingChoice for #ident {
            const NAMES: &'static [&'static str] = &[#(#names),*];
        }
        const _: () = {
            use ::marque_plugin::settings::serde;
            #[automatically_derived]
            impl<'de> serde::Deserialize<'de> for #ident {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> ::core::result::Result<Self, D::Error> {
                    #[derive(serde::Deserialize)]
                    #[serde(crate = "::marque_plugin::settings::serde")]
                    enum Raw {
                        #(#[serde(rename = #names)] #variants,)*
                    }
                    <Raw as serde::Deserialize>::deserialize(deserializer).map(|raw| match raw {
                        #(Raw::#variants => Self::#variants,)*
                    })
                }
            }
        };
    })
}

/// `AtOrBelow` as `at_or_below`, as serde does it.
fn snake_case(name: &str) -> String {
    name.char_indices().fold(String::new(), |mut snake, (at, letter)| {
        if at > 0 && letter.is_uppercase() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
        snake
    })
}

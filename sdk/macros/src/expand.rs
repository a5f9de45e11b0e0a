//! The code for a struct of settings: its schema, how it is read, and how it is checked.

use crate::{
    field::{Preset, Setting},
    number::Number,
    schema,
};
use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{DataStruct, DeriveInput, Fields, Type, spanned::Spanned};

const FIELDS_MAX: usize = 64;

pub fn settings(input: &DeriveInput, data: &DataStruct) -> syn::Result<TokenStream> {
    if !input.generics.params.is_empty() {
        return Err(syn::Error::new(input.generics.span(), "settings have no parameters"));
    }
    let Fields::Named(fields) = &data.fields else {
        return Err(syn::Error::new(input.ident.span(), "settings are a struct with named fields"));
    };
    let settings = all(fields.named.iter().map(Setting::of))?;
    if settings.len() > FIELDS_MAX {
        return Err(syn::Error::new(input.ident.span(), "a form has at most 64 settings"));
    }
    let ident = &input.ident;
    let parts = schema::parts(&settings);
    let (reading, checks) = (reading(ident, &settings), settings.iter().map(checks));
    Ok(quote! {
        #[automatically_derived]
        impl #ident {
            /// The JSON Schema of these settings: what the host checks and shows as a form.
            pub const SCHEMA: &'static str = {
                const PARTS: &[&str] = &[#(#parts),*];
                const TEXT: [u8; ::marque_plugin::settings::length(PARTS)] = ::marque_plugin::settings::join(PARTS);
                ::marque_plugin::settings::text(&TEXT)
            };

            fn checked(self) -> ::core::result::Result<Self, ::std::string::String> {
                #(#checks)*
                ::core::result::Result::Ok(self)
            }
        }
        #reading
    })
}

/// Every mistake, not only the first.
fn all(settings: impl Iterator<Item = syn::Result<Setting>>) -> syn::Result<Vec<Setting>> {
    let (mut good, mut bad): (Vec<Setting>, Option<syn::Error>) = (Vec::new(), None);
    for setting in settings {
        match (setting, &mut bad) {
            (Ok(setting), _) => good.push(setting),
            (Err(error), Some(errors)) => errors.combine(error),
            (Err(error), none) => *none = Some(error),
        }
    }
    bad.map_or(Ok(good), Err)
}

/// Reads them with serde, through a struct of its own that knows the defaults.
fn reading(ident: &syn::Ident, settings: &[Setting]) -> TokenStream {
    let names: Vec<_> = settings.iter().map(|s| &s.ident).collect();
    let types = settings.iter().map(|s| &s.whole);
    let attributes = settings.iter().map(|setting| {
        setting.said.default.as_ref().map(|_| {
            let path = format!("Raw::default_{}", setting.name);
            quote!(#[serde(default = #path)])
        })
    });
    let defaults = settings.iter().filter_map(|setting| {
        let preset = setting.said.default.as_ref()?;
        let (name, ty, value) = (format_ident!("default_{}", setting.name), &setting.whole, value(setting, preset));
        Some(quote!(fn #name() -> #ty { #value }))
    });
    // A suggestion is for the form alone, but its type must fit as well.
    let suggestions = settings.iter().filter_map(|setting| {
        let preset = setting.said.suggest.as_ref()?;
        let (kind, value) = (&setting.kind, value(setting, preset));
        Some(quote!(const _: fn() -> #kind = || #value;))
    });
    quote! {
        const _: () = {
            use ::marque_plugin::settings::serde;
            #(#suggestions)*
            #[automatically_derived]
            impl<'de> serde::Deserialize<'de> for #ident {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> ::core::result::Result<Self, D::Error> {
                    #[derive(serde::Deserialize)]
                    #[serde(crate = "::marque_plugin::settings::serde", deny_unknown_fields)]
                    struct Raw {
                        #(#attributes #names: #types,)*
                    }
                    impl Raw {
                        #(#defaults)*
                    }
                    let raw = <Raw as serde::Deserialize>::deserialize(deserializer)?;
                    let settings = Self { #(#names: raw.#names,)* };
                    settings.checked().map_err(<D::Error as serde::de::Error>::custom)
                }
            }
        };
    }
}

/// Names mean what they mean to the macro; a mistake is shown where the author wrote.
fn placed(span: Span) -> Span {
    span.resolved_at(Span::call_site())
}

/// A type as if it stood there: what is wrong is the limit or the preset, not the type.
fn moved(kind: &Type, span: Span) -> TokenStream {
    fn each(tokens: TokenStream, span: Span) -> TokenStream {
        let moved = tokens.into_iter().map(|mut token| {
            if let TokenTree::Group(group) = &token {
                token = TokenTree::Group(Group::new(group.delimiter(), each(group.stream(), span)));
            }
            token.set_span(span);
            token
        });
        moved.collect()
    }
    each(kind.to_token_stream(), span)
}

fn value(setting: &Setting, preset: &Preset) -> TokenStream {
    let span = placed(preset.span());
    let kind = moved(&setting.kind, span);
    match preset {
        Preset::Number(number) => {
            let units = number.units;
            quote_spanned!(span=> <#kind as ::marque_plugin::settings::SettingNumber>::from_units(#units))
        }
        Preset::Text(text) => {
            quote_spanned!(span=> <#kind as ::marque_plugin::settings::SettingText>::from_text(#text))
        }
        Preset::Flag(flag) => {
            quote_spanned!(span=> <#kind as ::marque_plugin::settings::SettingFlag>::from_flag(#flag))
        }
        Preset::Choice(path) => quote_spanned!(span=> #path),
    }
}

/// The checks of one setting, and that its type is one that has such limits.
fn checks(setting: &Setting) -> TokenStream {
    let (ident, name, said) = (&setting.ident, &setting.name, &setting.said);
    let (number, text) = setting.limits();
    let number = number.map(placed).map(|span| {
        let limit = |limit: &Option<Number>| match limit {
            Some(limit) => {
                let units = limit.units;
                quote!(::core::option::Option::Some(#units))
            }
            None => quote!(::core::option::Option::None),
        };
        let (min, max) = (limit(&said.min), limit(&said.max));
        let kind = moved(&setting.kind, span);
        let (above, below, step) = (limit(&said.above), limit(&said.below), limit(&said.step));
        quote_spanned! {span=>
            ::marque_plugin::settings::NumberLimits { min: #min, max: #max, above: #above, below: #below, step: #step }
                .check(#name, <#kind as ::marque_plugin::settings::SettingNumber>::units(value))?;
        }
    });
    let text = text.map(placed).map(|span| {
        let kind = moved(&setting.kind, span);
        let min = said.min_length.as_ref().map_or_else(|| quote!(0), |n| quote!(#n));
        let max = said.max_length.as_ref().map_or_else(|| quote!(usize::MAX), |n| quote!(#n));
        quote_spanned! {span=>
            ::marque_plugin::settings::check_length(
                #name, <#kind as ::marque_plugin::settings::SettingText>::as_text(value), #min, #max
            )?;
        }
    });
    if number.is_none() && text.is_none() {
        return TokenStream::new();
    }
    let reference = if setting.optional {
        quote!(self.#ident.as_ref())
    } else {
        quote!(::core::option::Option::Some(&self.#ident))
    };
    quote! {
        if let ::core::option::Option::Some(value) = #reference {
            #number
            #text
        }
    }
}

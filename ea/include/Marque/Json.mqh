//+------------------------------------------------------------------+
//| Flat JSON: one object of texts, whole numbers, true and false.    |
//| Owns: reading it strictly, writing it, and query strings.         |
//| Refuses: objects in objects, lists, fractions, a name twice, null.|
//+------------------------------------------------------------------+
#ifndef MARQUE_JSON_MQH
#define MARQUE_JSON_MQH

#include "Bytes.mqh"

#define MARQUE_FIELDS_MAX 128
#define MARQUE_TEXT_MAX 1024

class CMarqueFields
{
private:
   string m_names[];
   string m_values[];
   bool   m_quoted[];

   int  Index(const string name) const;
   bool Put(const string name, const string value, const bool quoted);
   bool Space(const string text, int &at) const;
   bool Text(const string text, int &at, string &value) const;
   bool Escape(const string text, int &at, string &value) const;
   bool Word(const string text, int &at, string &value) const;
   string Quoted(const string value) const;
   string Encoded(const string value) const;

public:
        CMarqueFields() { Clear(); }
   void Clear();
   void CopyFrom(const CMarqueFields &other);
   int  Count() const { return(ArraySize(m_names)); }
   string NameAt(const int index) const { return(m_names[index]); }
   string ValueAt(const int index) const { return(m_values[index]); }

   // False when the text is anything but one flat object.
   bool Read(const string text);

   bool   Has(const string name) const { return(Index(name) >= 0); }
   // The value as text; empty where there is none.
   string Get(const string name) const;
   // A whole number, or the other value where there is none.
   long   Number(const string name, const long otherwise) const;
   bool   IsTrue(const string name) const;

   void AddText(const string name, const string value) { Put(name, value, true); }
   void AddNumber(const string name, const long value) { Put(name, IntegerToString(value), false); }
   void AddFlag(const string name, const bool value) { Put(name, value ? "true" : "false", false); }

   string Json() const;
   // `name=value&…` with everything but letters, digits and `-._~` as %XX of its UTF-8.
   string Query() const;
};

void CMarqueFields::Clear()
{
   ArrayResize(m_names, 0);
   ArrayResize(m_values, 0);
   ArrayResize(m_quoted, 0);
}

void CMarqueFields::CopyFrom(const CMarqueFields &other)
{
   Clear();
   int count = other.Count();
   for(int i = 0; i < count; i++)
      Put(other.m_names[i], other.m_values[i], other.m_quoted[i]);
}

int CMarqueFields::Index(const string name) const
{
   int count = ArraySize(m_names);
   for(int i = 0; i < count; i++)
      if(m_names[i] == name)
         return(i);
   return(-1);
}

bool CMarqueFields::Put(const string name, const string value, const bool quoted)
{
   int count = ArraySize(m_names);
   if(count >= MARQUE_FIELDS_MAX || Index(name) >= 0)
      return(false);
   ArrayResize(m_names, count + 1);
   ArrayResize(m_values, count + 1);
   ArrayResize(m_quoted, count + 1);
   m_names[count]  = name;
   m_values[count] = value;
   m_quoted[count] = quoted;
   return(true);
}

string CMarqueFields::Get(const string name) const
{
   int at = Index(name);
   return(at < 0 ? "" : m_values[at]);
}

long CMarqueFields::Number(const string name, const long otherwise) const
{
   int at = Index(name);
   if(at < 0 || m_quoted[at] || m_values[at] == "true" || m_values[at] == "false")
      return(otherwise);
   return(StringToInteger(m_values[at]));
}

bool CMarqueFields::IsTrue(const string name) const
{
   int at = Index(name);
   return(at >= 0 && !m_quoted[at] && m_values[at] == "true");
}

bool CMarqueFields::Read(const string text)
{
   Clear();
   int at = 0;
   if(!Space(text, at) || StringGetCharacter(text, at) != '{')
      return(false);
   at++;
   if(!Space(text, at))
      return(false);
   if(StringGetCharacter(text, at) == '}')
   {
      at++;
      return(!Space(text, at));
   }
   while(at < StringLen(text))
   {
      string name = "", value = "";
      if(!Text(text, at, name) || !Space(text, at) || StringGetCharacter(text, at) != ':')
         return(false);
      at++;
      if(!Space(text, at))
         return(false);
      bool quoted = StringGetCharacter(text, at) == '"';
      if(quoted ? !Text(text, at, value) : !Word(text, at, value))
         return(false);
      if(!Put(name, value, quoted) || !Space(text, at))
         return(false);
      int next = StringGetCharacter(text, at);
      at++;
      if(next == '}')
         return(!Space(text, at));
      if(next != ',' || !Space(text, at))
         return(false);
   }
   return(false);
}

// Goes to the next character that means something; false at the end of the text.
bool CMarqueFields::Space(const string text, int &at) const
{
   int length = StringLen(text);
   while(at < length)
   {
      int c = StringGetCharacter(text, at);
      if(c != ' ' && c != '\n' && c != '\r' && c != '\t')
         return(true);
      at++;
   }
   return(false);
}

bool CMarqueFields::Text(const string text, int &at, string &value) const
{
   int length = StringLen(text);
   if(at >= length || StringGetCharacter(text, at) != '"')
      return(false);
   at++;
   int from = at;
   value = "";
   while(at < length && StringLen(value) <= MARQUE_TEXT_MAX)
   {
      int c = StringGetCharacter(text, at);
      if(c == '"')
      {
         value += MqPart(text, from, at - from);
         at++;
         return(StringLen(value) <= MARQUE_TEXT_MAX);
      }
      if(c < ' ')
         return(false);
      if(c == '\\')
      {
         value += MqPart(text, from, at - from);
         if(!Escape(text, at, value))
            return(false);
         from = at;
      }
      else
         at++;
   }
   return(false);
}

// What a backslash stands for. A zero would end a text of MetaTrader, so it is refused.
bool CMarqueFields::Escape(const string text, int &at, string &value) const
{
   if(at + 1 >= StringLen(text))
      return(false);
   int c = StringGetCharacter(text, at + 1);
   int code = 0;
   int length = 2;
   if(c == '"' || c == '\\' || c == '/')
      code = c;
   else if(c == 'b')
      code = 8;
   else if(c == 'f')
      code = 12;
   else if(c == 'n')
      code = '\n';
   else if(c == 'r')
      code = '\r';
   else if(c == 't')
      code = '\t';
   else if(c == 'u')
   {
      string digits = MqLower(MqPart(text, at + 2, 4));
      if(!MqIsHex(digits, 4))
         return(false);
      for(int i = 0; i < 4; i++)
         code = code * 16 + StringFind("0123456789abcdef", MqPart(digits, i, 1));
      length = 6;
   }
   if(code == 0)
      return(false);
   string character = " ";
   StringSetCharacter(character, 0, (ushort)code);
   value += character;
   at += length;
   return(true);
}

// A whole number that a text of 18 digits can hold, `true` or `false`.
bool CMarqueFields::Word(const string text, int &at, string &value) const
{
   int from = at, length = StringLen(text);
   while(at < length)
   {
      int c = StringGetCharacter(text, at);
      if(!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '+' || c == 'E'))
         break;
      at++;
   }
   value = MqPart(text, from, at - from);
   if(value == "true" || value == "false")
      return(true);
   string digits = MqStarts(value, "-") ? MqRest(value, 1) : value;
   bool leading = StringLen(digits) > 1 && StringGetCharacter(digits, 0) == '0';
   return(MqIsDigits(digits) && StringLen(digits) <= 18 && !leading);
}

string CMarqueFields::Json() const
{
   string text = "{";
   int count = ArraySize(m_names);
   for(int i = 0; i < count; i++)
   {
      if(i > 0)
         text += ",";
      text += Quoted(m_names[i]) + ":" + (m_quoted[i] ? Quoted(m_values[i]) : m_values[i]);
   }
   return(text + "}");
}

string CMarqueFields::Quoted(const string value) const
{
   string text = "\"";
   int length = StringLen(value);
   for(int i = 0; i < length; i++)
   {
      int c = StringGetCharacter(value, i);
      if(c == '"' || c == '\\')
         text += "\\" + MqPart(value, i, 1);
      else if(c < ' ')
         text += StringFormat("\\u%04x", c);
      else
         text += MqPart(value, i, 1);
   }
   return(text + "\"");
}

string CMarqueFields::Query() const
{
   string text = "";
   int count = ArraySize(m_names);
   for(int i = 0; i < count; i++)
      text += (i > 0 ? "&" : "") + m_names[i] + "=" + Encoded(m_values[i]);
   return(text);
}

string CMarqueFields::Encoded(const string value) const
{
   uchar bytes[];
   MqBytes(value, bytes);
   string text = "";
   int size = ArraySize(bytes);
   for(int i = 0; i < size; i++)
   {
      uchar c = bytes[i];
      bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.'
                   || c == '_' || c == '~';
      text += plain ? CharToString(c) : StringFormat("%%%02X", c);
   }
   return(text);
}

#endif

--- What to do about the error numbers of Microsoft Entra that users of Fabric meet.
--- Numbers: Microsoft's page "Microsoft Entra authentication and authorization error codes".

return {
  [7000215] = "the client secret is wrong: set AZURE_CLIENT_SECRET to the secret's value, "
    .. "not to its id",
  [7000222] = "the client secret has expired: make a new one for the app and set "
    .. "AZURE_CLIENT_SECRET to it",
  [7000218] = "the request carried no client secret: set AZURE_CLIENT_SECRET",
  [7000112] = "the app is disabled in this tenant: have an administrator enable it",
  [700016] = "the tenant does not know this app: check AZURE_CLIENT_ID and AZURE_TENANT_ID",
  [90002] = "there is no such tenant: check AZURE_TENANT_ID, and AZURE_AUTHORITY_HOST for national "
    .. "clouds",
  [900021] = "there is no such tenant: check AZURE_TENANT_ID",
  [900023] = "AZURE_TENANT_ID is neither a tenant's id nor one of its domains",
  [900382] = "the app and the tenant are in different clouds: check AZURE_AUTHORITY_HOST",
  [500011] = "Fabric is not known in this tenant: check AZURE_TENANT_ID, and the scope for "
    .. "national clouds",
  [500014] = "Fabric is disabled in this tenant: have an administrator enable it",
  [70011] = "the scope is wrong: the usual one is https://api.fabric.microsoft.com/.default",
  [1002012] = "the scope is wrong: it must end in /.default",
  [65001] = "nobody has consented to this app: have an administrator grant it access",
  [50076] = "the tenant asks for a second factor, which an app cannot give: change the policy",
  [50079] = "the tenant asks for a second factor, which an app cannot give: change the policy",
  [53003] = "Conditional Access blocks this app or this network: ask the tenant's administrator",
  [530036] = "Conditional Access blocks this sign-in: ask the tenant's administrator",
  [50034] = "this account does not exist in the tenant: check AZURE_TENANT_ID",
  [50196] = "Entra saw too many equal requests from this app: wait a few minutes",
}
